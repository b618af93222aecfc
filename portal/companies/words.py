"""Roles and acts in words; a test holds them against portal/companies/roles.py."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.companies.models import Company
from portal.companies.roles import Role, may_in

ROLE_WORDS: Final[dict[Role, str | Promise]] = {
    Role.OWNER: _("Everything, and to name other owners and close the company."),
    Role.ADMIN: _("Members, the card, the audit record, MCP servers and everybody's keys."),
    Role.DEVELOPER: _("Creates keys, and rotates and revokes their own. Sees everybody's."),
    Role.VIEWER: _("Looks at keys, usage and members. Changes nothing."),
}

# Every act of the table, in the order in which people read it.
ACT_WORDS: Final[dict[str, str | Promise]] = {
    "company:view": _("See the overview"),
    "member:view": _("See the team"),
    "usage:view": _("See usage"),
    "server:view": _("See MCP servers"),
    "key:view": _("See keys and connections"),
    "key:create": _("Create keys"),
    "key:manage_own": _("Change, rotate and revoke own keys"),
    "key:manage_any": _("Change, rotate and revoke everybody's keys"),
    "server:manage": _("Register MCP servers and make their credentials"),
    "webhook:manage": _("Manage webhooks"),
    "token:manage": _("Manage management tokens"),
    "audit:view": _("Read and export the audit record"),
    "member:manage": _("Invite, change and remove members"),
    "card:confirm": _("Confirm and replace the card"),
    "company:edit": _("Change the company's settings"),
    "company:export": _("Export the company's data"),
    "owner:manage": _("Name and remove owners"),
    "company:transfer": _("Hand the company over to another member"),
    "company:close": _("Close the company and open it again"),
    "member:leave": _("Leave the company"),
}


def role_table(company: Company) -> list[tuple[str | Promise, list[tuple[Role, bool]]]]:
    """Who may do what in `company`: for every act its words, and each role with whether it may."""
    return [(words, [(role, may_in(company, role, act)) for role in Role]) for act, words in ACT_WORDS.items()]
