"""Connections of all companies: list, search, revoke."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from keys.oauth.connections import revoke as revoke_connection
from keys.oauth.connections import target
from keys.oauth.models import Connection
from keys.oauth.selectors import all_connections
from keys.usage.selectors import key_use
from portal.audit.selectors import target_events
from portal.audit.sentences import line
from portal.cursors import paginate
from portal.staff import searches
from portal.staff.access import staff_actor, staff_page
from portal.staff.forms import RevokeForm
from portal.staff.services import note_viewed
from portal.staff.views.acts import act_page, posted
from portal.staff.views.dashboard import target_page

PAGE = 50


@staff_page("staff:view")
@require_safe
def connections(request: HttpRequest) -> HttpResponseBase:
    """The AI clients that are connected, latest first; searched by client, company, person or id."""
    query, found = request.GET.get("q", "").replace("\0", "").strip()[:120], all_connections()
    if query:
        found = searches.connections(query).of(found)
    page = paginate(found, order=("-created_at", "id"), size=PAGE, cursor=request.GET.get("cursor", ""))
    return render(request, "staff/connections.html", {"page": page, "query": query})


@staff_page("staff:view")
@require_safe
def connection(request: HttpRequest, connection_id: str) -> HttpResponseBase:
    """All about one connection. The company's record says that staff looked."""
    found = _connection(connection_id)
    actor = staff_actor(request)
    note_viewed("connection:viewed_by_staff", company=found.company, target=target(found), actor=actor)
    context = {
        "connection": found,
        "use": key_use(found),
        "events": [line(event, target_page) for event in target_events(found.company, "connection", found.pk)[:30]],
    }
    return render(request, "staff/connection.html", context)


@staff_page("key:revoke")
def revoke(request: HttpRequest, connection_id: str) -> HttpResponseBase:
    """Refuse a connection for good, with a reason that its company reads."""
    connection = _connection(connection_id)
    if connection.revoked_at:
        messages.info(request, _("This connection is revoked already."))
        return redirect("staff:connections")
    form = RevokeForm(posted(request))
    if request.method == "POST" and form.is_valid():
        revoke_connection(connection=connection, reason=form.reason, actor=staff_actor(request))
        messages.success(
            request, _("%(client)s is revoked: it is refused from now on.") % {"client": connection.client_name}
        )
        return redirect("staff:connections")
    return act_page(
        request,
        form,
        heading=_("Revoke %(client)s") % {"client": connection.client_name},
        lead=_("The AI client is refused from now on. It can ask its person for a new connection."),
        submit=_("Revoke the connection"),
        tone="danger",
        back=("staff:connections", "", _("Connections")),
    )


def _connection(connection_id: str) -> Connection:
    found = all_connections().filter(pk=connection_id).first()
    if found is None:
        raise Http404
    return found
