"""Who may do what: the one table that pages and API ask."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a member is in a company."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    DEVELOPER = "developer", _("Developer")
    VIEWER = "viewer", _("Viewer")


_EVERYONE = frozenset(Role)
_MAKERS = frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER})
_MANAGERS = frozenset({Role.OWNER, Role.ADMIN})
_OWNERS = frozenset({Role.OWNER})

# Act → roles that may. A developer manages the keys that are their own; managers manage everybody's.
ACTS: Final[dict[str, frozenset[Role]]] = {
    "company:view": _EVERYONE,
    "company:edit": _MANAGERS,
    "company:close": _OWNERS,
    "card:confirm": _MANAGERS,
    "audit:view": _MANAGERS,
    "member:view": _EVERYONE,
    "member:manage": _MANAGERS,
    "owner:manage": _OWNERS,
    "key:view": _EVERYONE,
    "key:create": _MAKERS,
    "key:manage_own": _MAKERS,
    "key:manage_any": _MANAGERS,
    "usage:view": _EVERYONE,
    "server:view": _EVERYONE,
    "server:manage": _MANAGERS,
    "webhook:manage": _MANAGERS,
    "token:manage": _MANAGERS,
}


def may(role: str, act: str) -> bool:
    """Whether a member with `role` may do `act`. An unknown act is a mistake of ours: KeyError."""
    return role in ACTS[act]
