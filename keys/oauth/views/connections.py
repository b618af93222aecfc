"""The connection pages of a company. A connection that the member may not see is a missing page."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from keys.forms import RevokeKeyForm
from keys.oauth import connections
from keys.oauth.models import Connection
from keys.oauth.selectors import member_connections
from keys.words import permitted_tools
from portal.audit.actors import Actor
from portal.audit.selectors import company_events
from portal.audit.sentences import line
from portal.companies.access import CompanyRequest, company_page

PAGE = 25
EVENTS_SHOWN = 30


@require_GET
@company_page("key:view")
def connection_list(request: CompanyRequest, slug: str) -> HttpResponse:
    """The AI clients that are connected: all for owners and admins, their own for everybody else."""
    page = Paginator(member_connections(request.membership), PAGE).get_page(request.GET.get("page"))
    makes = request.membership.may("key:manage_any") and request.company.is_active
    return render(request, "connections/list.html", {"page": page, "may_make_machines": makes})


@require_GET
@company_page("key:view")
def detail(request: CompanyRequest, slug: str, connection_id: str) -> HttpResponse:
    """One connection: what it may use, and what happened to it."""
    connection = _connection(request, connection_id)
    events = company_events(request.company).filter(target_kind="connection", target_id=connection.pk)
    context = {
        "connection": connection,
        "tools": permitted_tools(connection.scopes, connection.server),
        "events": [line(event) for event in events[:EVENTS_SHOWN]],
    }
    return render(request, "connections/detail.html", context)


@require_http_methods(["GET", "POST"])
@company_page("key:view")
def revoke(request: CompanyRequest, slug: str, connection_id: str) -> HttpResponse:
    """Refuse a client for good. Never asks for a new sign-in, and everybody may take back what they gave."""
    connection = _connection(request, connection_id)
    form = RevokeKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        connections.revoke(connection=connection, reason=form.words(), actor=Actor.user(request.user, request))
        messages.success(request, _("The connection was revoked. Every MCP server refuses it from now on."))
        return redirect("connections:detail", slug=slug, connection_id=connection.pk)
    return render(request, "connections/revoke.html", {"connection": connection, "form": form})


def _connection(request: CompanyRequest, connection_id: str) -> Connection:
    found = member_connections(request.membership).filter(pk=connection_id).first()
    if found is None:
        raise Http404
    return found
