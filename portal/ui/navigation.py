"""What stands in the sidebars. An entry appears when its URL exists and the member's role allows its act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Entry:
    """One line of a sidebar: a URL name, its words and icon, and the act (portal/companies/roles.py) it needs."""

    url_name: str
    label: str | Promise
    icon: str
    act: str = ""


COMPANY: Final = (
    Entry("company", _("Overview"), "grid", "company:view"),
    Entry("keys:list", _("Keys"), "key", "key:view"),
    Entry("connections:list", _("Connections"), "plug", "key:view"),
    Entry("usage", _("Usage"), "chart", "usage:view"),
    Entry("servers:list", _("MCP servers"), "server", "server:view"),
    Entry("webhooks:list", _("Webhooks"), "webhook", "webhook:manage"),
    Entry("tokens:list", _("Management tokens"), "terminal", "token:manage"),
    Entry("team", _("Team"), "users", "member:view"),
    Entry("reviews:list", _("Access reviews"), "calendar", "audit:view"),
    Entry("audit", _("Audit"), "history", "audit:view"),
    Entry("card", _("Card"), "card", "card:confirm"),
    Entry("settings", _("Settings"), "settings", "company:edit"),
)

STAFF: Final = (
    Entry("staff:dashboard", _("Dashboard"), "grid"),
    Entry("staff:companies", _("Companies"), "building"),
    Entry("staff:keys", _("Keys"), "key"),
    Entry("staff:connections", _("Connections"), "plug"),
    Entry("staff:servers", _("MCP servers"), "server"),
    Entry("leaks:staff", _("Leaks"), "flag"),
    Entry("reviews:staff", _("Access reviews"), "calendar"),
    Entry("staff:people", _("People"), "users"),
    Entry("staff:revoke_rule", _("Revoke by rule"), "ban"),
    Entry("incidents:list", _("Incidents"), "alert"),
    Entry("staff:audit", _("Audit"), "history"),
    Entry("jobs:list", _("Jobs"), "activity"),
)
