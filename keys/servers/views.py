"""The pages of MCP servers for a company: everyone's to look at, its own to register, change and give credentials."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from keys.errors import AlreadyRotated, LifecycleError
from keys.forms import RevokeKeyForm
from keys.models import McpServer, ServerCredential
from keys.once import OnceForm, make_once
from keys.selectors import company_server, company_servers
from keys.servers.forms import CatalogueForm, CredentialForm, RotateForm, ServerForm, ToolRows, tools_of
from keys.servers.services import (
    create_credential,
    register_server,
    revoke_credential,
    rotate_credential,
    update_server,
)
from keys.servers.snippets import protecting
from keys.tokens import Token
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.actors import Actor
from portal.audit.selectors import company_events
from portal.audit.sentences import line
from portal.companies.access import CompanyRequest, company_page

PLACEHOLDER = "lk_srv_…"
EVENTS_SHOWN = 12
form_page = require_http_methods(["GET", "POST"])


class NewCredentialForm(OnceForm, CredentialForm):
    """A new server credential, made once however often the form is sent."""


@require_safe
@company_page("server:view")
def server_list(request: CompanyRequest, slug: str) -> HttpResponse:
    """The MCP servers that the company can make keys for: everyone's and its own."""
    return render(request, "servers/list.html", {"servers": company_servers(request.company)[:500]})


@require_safe
@company_page("server:view")
def server_detail(request: CompanyRequest, slug: str, server_id: str) -> HttpResponse:
    """One MCP server: its tools; of the company's own also credentials, webhooks and what was done to it."""
    server = company_server(request.company, server_id)
    if server is None:
        raise Http404
    context: dict[str, Any] = {"server": server, "is_own": server.company_id is not None}
    if context["is_own"] and request.membership.may("server:manage"):
        events = company_events(request.company).filter(target_kind="server", target_id=server.pk)[:EVENTS_SHOWN]
        context |= {
            "may_manage": True,
            "credentials": server.credentials.select_related("created_by", "replaced_by").defer("digest")[:50],
            "endpoints": server.webhooks.order_by("created_at", "id"),
            "snippets": protecting(server, PLACEHOLDER),
            "events": [line(event) for event in events],
        }
    return render(request, "servers/detail.html", context)


@form_page
@company_page("server:manage")
def server_new(request: CompanyRequest, slug: str) -> HttpResponse:
    """Register an MCP server for this company alone."""
    if not request.company.is_active:
        return redirect("servers:list", slug=slug)  # the list says what has to be done first
    return _server_page(request, None)


@form_page
@company_page("server:manage")
def server_edit(request: CompanyRequest, slug: str, server_id: str) -> HttpResponse:
    """Change the names, addresses and catalogue of the company's own MCP server."""
    return _server_page(request, _own_server(request, server_id))


def _server_page(request: CompanyRequest, server: McpServer | None) -> HttpResponse:
    initial: dict[str, Any] = {}
    if server:
        initial = {name: getattr(server, name) for name in ("name", "title", "url")}
        initial["alternate_urls"] = "\n".join(server.alternate_urls)
    data = request.POST if request.method == "POST" else None
    form = ServerForm(data, initial=initial)
    rows = ToolRows(data, initial=server.tools if server else [], prefix="tools")
    catalogue = CatalogueForm(data)
    # Every part is checked, so that all that is wrong is said at once.
    if request.method == "POST" and all([form.is_valid(), rows.is_valid(), catalogue.is_valid()]):
        pasted = catalogue.cleaned_data["catalogue"]
        fields = form.cleaned_data | {"tools": tools_of(rows) if pasted is None else pasted}
        if saved := _saved(request, server, form, fields):
            return redirect("servers:detail", slug=request.company.slug, server_id=saved.pk)
    context = {"form": form, "rows": rows, "catalogue": catalogue, "server": server}
    return render(request, "servers/edit.html", context)


def _saved(
    request: CompanyRequest, server: McpServer | None, form: ServerForm, fields: dict[str, Any]
) -> McpServer | None:
    """The registered or changed server; None, and the form says why, if it cannot be."""
    actor = Actor.user(request.user, request)
    try:
        if server:
            saved = update_server(server=server, actor=actor, **fields)
            messages.success(request, _("%(server)s is changed.") % {"server": saved})
        else:
            saved = register_server(actor=actor, company=request.company, **fields)
            messages.success(request, _("%(server)s is registered. Make a credential for it next.") % {"server": saved})
    except LifecycleError as error:
        form.add_error(None, str(error))
    except ValidationError as error:
        for name, texts in error.message_dict.items():
            form.add_error(name if name in form.fields else None, texts)
    else:
        return saved
    return None


@never_cache
@form_page
@company_page("server:manage")
@recent_sign_in_required
def credential_new(request: CompanyRequest, slug: str, server_id: str) -> HttpResponse:
    """Make a credential with which the company's own server asks about keys, and show its value this once."""
    server = _own_server(request, server_id)
    form = NewCredentialForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = make_once(request, form.cleaned_data["once"], lambda: _create(request, server, form))
        except LifecycleError as error:
            form.add_error(None, str(error))
        else:
            return _shown_or_told(request, server, made)
    return render(request, "servers/credential_new.html", {"form": form, "server": server})


@never_cache
@form_page
@company_page("server:manage")
@recent_sign_in_required
def credential_rotate(request: CompanyRequest, slug: str, server_id: str, credential_id: str) -> HttpResponse:
    """Give a credential a new value, shown this once; the old one is accepted for a while."""
    credential = _own_credential(request, server_id, credential_id)
    form = RotateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = rotate_credential(
                credential=credential, overlap=form.overlap_time, actor=Actor.user(request.user, request)
            )
        except AlreadyRotated:  # a reload: the new value was shown once
            return _shown_or_told(request, credential.server, credential.pk)
        except LifecycleError as error:
            form.add_error(None, str(error))
        else:
            return _shown_or_told(request, credential.server, made)
    context = {"form": form, "credential": credential, "server": credential.server}
    return render(request, "servers/credential_rotate.html", context)


@form_page
@company_page("server:manage")
def credential_revoke(request: CompanyRequest, slug: str, server_id: str, credential_id: str) -> HttpResponse:
    """Refuse a credential from now on. Never asks for a new sign-in: after a leak every second counts."""
    credential = _own_credential(request, server_id, credential_id)
    form = RevokeKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        revoke_credential(credential=credential, reason=form.words(), actor=Actor.user(request.user, request))
        messages.success(request, _("The credential was revoked. Calls with it are refused from now on."))
        return redirect("servers:detail", slug=slug, server_id=server_id)
    context = {"form": form, "credential": credential, "server": credential.server}
    return render(request, "servers/credential_revoke.html", context)


def _own_server(request: CompanyRequest, server_id: str) -> McpServer:
    """The company's own server `server_id`. Raises Http404: everyone's servers are the operator's to change."""
    server = company_server(request.company, server_id)
    if server is None or server.company_id is None:
        raise Http404
    return server


def _own_credential(request: CompanyRequest, server_id: str, credential_id: str) -> ServerCredential:
    server = _own_server(request, server_id)
    credential: ServerCredential | None = (
        server.credentials.select_related("server__company").filter(pk=credential_id).first()
    )
    if credential is None:
        raise Http404
    return credential


def _create(request: CompanyRequest, server: McpServer, form: CredentialForm) -> tuple[ServerCredential, Token]:
    return create_credential(
        server=server,
        name=form.cleaned_data["name"],
        actor=Actor.user(request.user, request),
        created_by=request.user,
    )


def _shown_or_told(
    request: CompanyRequest, server: McpServer, made: tuple[ServerCredential, Token] | str
) -> HttpResponse:
    """The one page that ever shows the value, as the answer to the POST itself; for a repeated form a word about it."""
    if isinstance(made, str):
        messages.info(
            request, _("This was done already. The value was shown once: rotate the credential for a new one.")
        )
        return redirect("servers:detail", slug=request.company.slug, server_id=server.pk)
    credential, token = made
    context = {
        "credential": credential,
        "server": server,
        "value": token.text,
        "snippets": protecting(server, token.text),
    }
    return render(request, "servers/credential_made.html", context)
