"""A company's first page: how far it is, what happened last, what to do next. Of what is here it alone knows keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from keys.models import CredentialQuerySet, CredentialState
from keys.selectors import company_keys
from keys.usage.selectors import last_sighting
from keys.verdicts import MEANINGS, Code
from portal.audit.selectors import company_events
from portal.audit.sentences import line
from portal.billing.cards import BRAND_NAMES
from portal.billing.selectors import current_card
from portal.companies.access import CompanyRequest, company_page
from portal.companies.models import Company, CompanyState

RECENT = 6
FIRST_CALL = "first-call"  # the part of the page that asks for itself until the first call has come


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the checklist. `url` leads to doing it; '' when the member may not."""

    title: str | Promise
    text: str | Promise
    done: bool
    url: str = ""
    action: str | Promise = ""


@require_safe
@company_page("company:view")
def overview(request: CompanyRequest, slug: str) -> HttpResponse:
    """The overview of a company; to htmx, only the line that waits for the first call."""
    company, membership = request.company, request.membership
    if request.headers.get("HX-Target") == FIRST_CALL:
        return render(request, "companies/_first_call.html", first_call(company))
    keys = cast(CredentialQuerySet, company_keys(company))
    steps = checklist(request)
    card = current_card(company)
    events = company_events(company)[:RECENT] if membership.may("audit:view") else []
    return render(
        request,
        "companies/overview.html",
        {
            "steps": steps,
            "next_step": next((step for step in steps if not step.done), None),
            "suspended": company.state == CompanyState.SUSPENDED,
            "active_keys": keys.in_state(CredentialState.ACTIVE).count(),
            "rotating_keys": keys.in_state(CredentialState.ROTATING).count(),
            "members": company.memberships.count(),
            "last_used_at": keys.order_by("-last_used_at").exclude(last_used_at=None).values_list(
                "last_used_at", flat=True
            ).first(),
            "card": card,
            "brand": BRAND_NAMES.get(card.brand, "") if card else "",
            "events": [line(event) for event in events],
            "is_waiting": steps[-2].done and not steps[-1].done,
            **first_call(company),
        },
    )  # fmt: skip


def first_call(company: Company) -> dict[str, object]:
    """The latest call with a key of `company` as `call`, and what a refused one was told as `refusal`."""
    call = last_sighting(company)
    refused = call is not None and call.code != Code.VALID and call.code in list(Code)
    return {"call": call, "refusal": MEANINGS[Code(call.code)].message if call and refused else ""}


def checklist(request: CompanyRequest) -> list[Step]:
    """The steps from nothing to an AI client that works; each links to its page where the member may take it."""
    company, membership = request.company, request.membership
    address = {"slug": company.slug}
    confirmed = company.activated_at is not None
    keys = company_keys(company)
    has_key, is_connected = keys.exists(), keys.exclude(last_used_at=None).exists()
    make = reverse("keys:new", kwargs=address) if company.is_active and membership.may("key:create") else ""
    return [
        Step(_("Create the company"), _("It is yours: invite others when you like."), done=True),
        Step(
            _("Confirm a card"),
            _("Nothing is charged. It shows that the company is real."),
            confirmed,
            reverse("card", kwargs=address) if membership.may("card:confirm") else "",
            _("Confirm a card"),
        ),
        Step(
            _("Create a key"),
            _("One for each AI client, with only the tools that it needs."),
            has_key,
            make,
            _("Create a key"),
        ),
        Step(
            _("Connect an AI client"),
            _("Paste the settings that the key's page shows, then ask for “a company list”."),
            is_connected,
            _first_key(company) if has_key else "",
            _("Show the settings"),
        ),
    ]


def _first_key(company: Company) -> str:
    key = cast(CredentialQuerySet, company_keys(company)).usable().first()
    return reverse("keys:detail", kwargs={"slug": company.slug, "key_id": key.pk}) if key else ""
