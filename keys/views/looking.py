"""The list of a company's keys, and the page of one. A key of another company is a missing page."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from keys.listing import listing, without_secret
from keys.models import Key
from keys.pages import connecting, key_or_404, may_manage
from keys.pictures import going_on
from keys.snippets import PLACEHOLDER
from keys.trying.first_call import key_call
from keys.trying.views import ValueForm
from keys.usage.selectors import key_use
from keys.words import permitted_tools
from portal.audit.models import AuditEvent
from portal.audit.selectors import company_events
from portal.audit.sentences import Line, line
from portal.companies.access import CompanyRequest, company_page
from portal.companies.models import Company

EVENTS_SHOWN = 30


@require_GET
@company_page("key:view")
def key_list(request: CompanyRequest, slug: str) -> HttpResponse:
    """The keys of the company, to be searched, filtered and ordered."""
    if (query := without_secret(request.GET.get("q", ""))) is not None:
        address = request.GET.copy()
        address["q"] = query
        return redirect(f"{request.path}?{address.urlencode()}")
    found = listing(request.company, request.GET)
    context = {
        "listing": found,
        "manageable": {key.pk for key in found.page if key.is_usable and may_manage(request, key)},
    }
    return render(request, "keys/list.html", context)


@require_GET
@company_page("key:view")
def detail(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """One key: what it may do, its life, its other values, and how a client uses it."""
    key = key_or_404(request, key_id)
    old = key.replaces if key.replaces and key.replaces.state == "rotating" else None
    return render(
        request,
        "keys/detail.html",
        {
            "key": key,
            "tools": permitted_tools(key.scopes, key.server),
            "newer": getattr(key, "replaced_by", None),
            "old_in_use": old,
            "values": _values(key),
            "events": _events(request.company, key),
            "use": key_use(key),
            "may_manage": may_manage(request, key),
            "picture": _picture(key),
            "call": key_call(key),
            "test_form": ValueForm(key=key),
            **connecting(key, PLACEHOLDER),
        },
    )


def _picture(key: Key) -> Any:
    """The rotation that is going on: of this value into a newer one, or of an older one into this."""
    newer = getattr(key, "replaced_by", None)
    if newer is not None:
        return going_on(key, newer)
    return going_on(key.replaces, key) if key.replaces else None


def _values(key: Key) -> list[Key]:
    """The key and the values before and after it, newest first."""
    found: list[Any] = [key]
    newer, older = getattr(key, "replaced_by", None), key.replaces
    while newer is not None:
        found.insert(0, newer)
        newer = getattr(newer, "replaced_by", None)
    while older is not None and len(found) < 50:
        found.append(older)
        older = older.replaces
    return found


def _events(company: Company, key: Key) -> list[Line]:
    """What happened to the key; a rotation is recorded with the old value, so the one that made it is here too."""
    about = Q(target_id=key.pk)
    if key.replaces_id:
        about |= Q(target_id=key.replaces_id, action="key:rotated")
    events: list[AuditEvent] = list(company_events(company).filter(about, target_kind="key")[:EVENTS_SHOWN])
    return [line(event) for event in events]
