"""MCP servers: register, edit, catalogue, emergency stop."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from keys.errors import LifecycleError
from keys.models import McpServer
from keys.servers.forms import CatalogueForm, ServerForm, ToolRows, tools_of
from keys.servers.services import register_server, resume_server, stop_server, update_server
from portal.audit.models import AuditEvent
from portal.audit.sentences import line
from portal.cursors import paginate
from portal.staff import selectors
from portal.staff.access import staff_actor, staff_page
from portal.staff.forms import ConfirmForm, ServerFilter, StopForm
from portal.staff.views.acts import act_page, posted
from portal.staff.views.dashboard import target_page

PAGE = 50


@staff_page("staff:view")
@require_safe
def servers(request: HttpRequest) -> HttpResponse:
    """Every MCP server: those for everyone and companies' own."""
    form = ServerFilter(request.GET)
    data = form.cleaned_data if form.is_valid() else {}
    found = selectors.servers(query=data.get("q", "").strip(), owner=data.get("owner", ""))
    page = paginate(found, order=("name", "id"), size=PAGE, cursor=request.GET.get("cursor", ""))
    context = {"form": form, "filters": [form["owner"]], "query": data.get("q", ""), "page": page}
    return render(request, "staff/servers.html", context)


@staff_page("staff:view")
@require_safe
def server(request: HttpRequest, server_id: str) -> HttpResponse:
    """An MCP server: addresses, tools, credentials, keys and what was done to it."""
    found = _server(server_id)
    number, more = selectors.counted(found.keys.all())
    events = AuditEvent.objects.filter(target_kind="server", target_id=found.pk).order_by("-id")[:12]
    context = {
        "server": found,
        "credentials": found.credentials.select_related("created_by", "replaced_by").defer("digest")[:50],
        "key_count": number,
        "more_keys": more,
        "events": [line(event, target_page) for event in events],
    }
    return render(request, "staff/server.html", context)


@staff_page("server:manage")
def new(request: HttpRequest) -> HttpResponse:
    """Register an MCP server for every company."""
    return _server_page(request, None)


@staff_page("server:manage")
def edit(request: HttpRequest, server_id: str) -> HttpResponse:
    """Change an MCP server's names, addresses and catalogue."""
    return _server_page(request, _server(server_id))


def _server_page(request: HttpRequest, found: McpServer | None) -> HttpResponse:
    initial: dict[str, Any] = {}
    if found:
        initial = {name: getattr(found, name) for name in ("name", "title", "url")}
        initial["alternate_urls"] = "\n".join(found.alternate_urls)
    data = posted(request)
    form = ServerForm(data, initial=initial)
    rows = ToolRows(data, initial=found.tools if found else [], prefix="tools")
    catalogue = CatalogueForm(data)
    # Every part is checked, so that all that is wrong is said at once.
    if request.method == "POST" and all([form.is_valid(), rows.is_valid(), catalogue.is_valid()]):
        pasted = catalogue.cleaned_data["catalogue"]
        fields = form.cleaned_data | {"tools": tools_of(rows) if pasted is None else pasted}
        try:
            if found:
                saved = update_server(server=found, actor=staff_actor(request), **fields)
                messages.success(request, _("%(server)s is changed.") % {"server": saved})
            else:
                saved = register_server(actor=staff_actor(request), **fields)
                messages.success(
                    request, _("%(server)s is registered. Make a credential for it next.") % {"server": saved}
                )
        except LifecycleError as error:
            form.add_error(None, str(error.message))
        except ValidationError as error:
            for name, texts in error.message_dict.items():
                form.add_error(name if name in form.fields else None, texts)
        else:
            return redirect("staff:server", saved.pk)
    context = {"form": form, "rows": rows, "catalogue": catalogue, "server": found}
    return render(request, "staff/server_form.html", context)


@staff_page("server:stop")
def stop(request: HttpRequest, server_id: str) -> HttpResponse:
    """Emergency stop: refuse every key for the server from now on."""
    found = _server(server_id)
    form = StopForm(posted(request))
    if request.method == "POST" and form.is_valid():
        stop_server(server=found, reason=form.cleaned_data["reason"], actor=staff_actor(request))
        messages.success(request, _("%(server)s is stopped: every key is refused there.") % {"server": found})
        return redirect("staff:server", found.pk)
    return act_page(
        request,
        form,
        heading=_("Stop %(server)s") % {"server": found},
        lead=_("Every key of every company is refused for this MCP server until it is resumed. No key is revoked."),
        submit=_("Stop the MCP server"),
        tone="danger",
        back=("staff:server", found.pk, str(found)),
    )


@staff_page("server:stop")
def resume(request: HttpRequest, server_id: str) -> HttpResponse:
    """End an emergency stop."""
    found = _server(server_id)
    if request.method == "POST":
        resume_server(server=found, actor=staff_actor(request))
        messages.success(request, _("%(server)s is resumed: its keys work again.") % {"server": found})
        return redirect("staff:server", found.pk)
    return act_page(
        request,
        ConfirmForm(),
        heading=_("Resume %(server)s") % {"server": found},
        lead=_("Keys that were not revoked and have not expired work again for this MCP server."),
        submit=_("Resume the MCP server"),
        tone="primary",
        back=("staff:server", found.pk, str(found)),
    )


def _server(server_id: str) -> McpServer:
    return get_object_or_404(McpServer.objects.select_related("company"), pk=server_id)
