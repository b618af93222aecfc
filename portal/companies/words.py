"""What each role may do, in words; a test holds them against portal/companies/roles.py."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.companies.roles import Role

ROLE_WORDS: Final[dict[Role, str | Promise]] = {
    Role.OWNER: _("Everything, and to name other owners and close the company."),
    Role.ADMIN: _("Members, the card, the audit record, MCP servers and everybody's keys."),
    Role.DEVELOPER: _("Creates keys, and rotates and revokes their own. Sees everybody's."),
    Role.VIEWER: _("Looks at keys, usage and members. Changes nothing."),
}
