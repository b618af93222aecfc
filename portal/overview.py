"""A company's first page: how far it is, how its keys are used, what needs attention."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from keys.attention import standing
from keys.oauth.selectors import company_connections
from keys.trying.first_call import NOTHING_NEW, company_call
from keys.usage.glance import glance
from portal.audit.selectors import company_events
from portal.audit.sentences import line
from portal.audit.views import company_zone
from portal.checklist import checklist
from portal.companies.access import CompanyRequest, company_page
from portal.companies.models import CompanyState
from portal.companies.selectors import waiting_invitations

RECENT = 6
FIRST_CALL = "first-call"  # the part of the page that asks for itself until the first call has come


@require_safe
@company_page("company:view")
def overview(request: CompanyRequest, slug: str) -> HttpResponse:
    """The overview of a company; to htmx, only the steps while they wait for the first call."""
    waiting = _waiting(request)
    if request.headers.get("HX-Target") == FIRST_CALL:
        if waiting["call"].mark == request.GET.get("seen"):
            return HttpResponse(status=NOTHING_NEW)
        return render(request, "companies/_steps.html", waiting)
    company, membership = request.company, request.membership
    keys = standing(company)
    events = company_events(company)[:RECENT] if membership.may("audit:view") else []
    return render(
        request,
        "companies/overview.html",
        {
            **waiting,
            "suspended": company.state == CompanyState.SUSPENDED,
            "active_keys": keys.active,
            "rotating_keys": keys.rotating,
            "members": company.memberships.count(),
            "invited": waiting_invitations(company).filter(expires_at__gt=timezone.now()).count(),
            "use": glance(company, company_zone(company)),
            "findings": keys.findings,
            "events": [line(event) for event in events],
        },
    )


def _waiting(request: CompanyRequest) -> dict[str, Any]:
    """The steps, which one is next, and the line that waits for the first call."""
    company = request.company
    call = company_call(company)
    connections = company_connections(company).usable().count()
    steps = checklist(request, call, connections > 0)
    return {
        "connections": connections,
        "steps": steps,
        "next_step": next((step for step in steps if not step.done), None),
        "is_waiting": company.is_active and steps[2].done and not call.is_over,
        "call": call,
        "address": reverse("company", kwargs={"slug": company.slug}),
    }
