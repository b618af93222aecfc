"""The way from nothing to an AI client that works: what is done, what is next, and where it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from keys.models import CredentialQuerySet
from keys.selectors import company_keys
from keys.trying.first_call import FirstCall
from portal.companies.access import CompanyRequest


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the checklist. `url` leads to doing it; '' when the member may not."""

    title: str | Promise
    text: str | Promise
    done: bool
    url: str = ""
    action: str | Promise = ""


def checklist(request: CompanyRequest, call: FirstCall, has_connection: bool) -> list[Step]:
    """The steps; each links to its page where the member may take it. A connection is as good as a key."""
    company, membership = request.company, request.membership
    address = {"slug": company.slug}
    first = cast(CredentialQuerySet, company_keys(company)).usable().first()
    page = reverse("keys:detail", kwargs={"slug": company.slug, "key_id": first.pk}) if first else ""
    has_key = first is not None or company_keys(company).exists()
    make = reverse("keys:new", kwargs=address) if company.is_active and membership.may("key:create") else ""
    connected = call.is_connected or has_connection
    return [
        Step(_("Create the company"), _("It is yours: invite others when you like."), done=True),
        Step(
            _("Confirm a card"),
            _("Nothing is charged. It shows that the company is real."),
            company.activated_at is not None,
            reverse("card", kwargs=address) if membership.may("card:confirm") else "",
            _("Confirm a card"),
        ),
        Step(
            _("Create a key"),
            _("One for each AI client, with only the tools that it needs."),
            has_key or has_connection,
            make,
            _("Create a key"),
        ),
        Step(
            _("Connect an AI client"),
            _("Paste the settings that the key's page shows into your AI client, and start it."),
            connected,
            page,
            _("Show the settings"),
        ),
        Step(
            _("Make the first call"),
            _("Ask your AI for “a company list”: it calls the MCP server with your key."),
            call.has_called,
            f"{page}#test" if page else "",
            _("Test the key"),
        ),
    ]
