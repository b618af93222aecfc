"""Which of the staff may do what: the one table that every page of /staff/ asks."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class StaffRole(models.TextChoices):
    """What somebody is among the operator's staff."""

    ADMINISTRATOR = "administrator", _("Administrator")
    SUPPORT = "support", _("Support")
    VIEWER = "viewer", _("Viewer")


_ALL = frozenset(StaffRole)
_HELPERS = frozenset({StaffRole.SUPPORT, StaffRole.ADMINISTRATOR})
_ADMINISTRATORS = frozenset({StaffRole.ADMINISTRATOR})

# Act → roles that may. What stops harm is support's, so that nobody waits for an administrator on the worst day; what
# gives new rights is the administrators' alone.
ACTS: Final[dict[str, frozenset[StaffRole]]] = {
    "staff:view": _ALL,
    "key:revoke": _HELPERS,
    "company:suspend": _HELPERS,
    "session:end": _HELPERS,
    "server:stop": _HELPERS,
    "incident:manage": _HELPERS,
    "job:manage": _HELPERS,
    "server:manage": _ADMINISTRATORS,
    "credential:manage": _ADMINISTRATORS,
    "plan:manage": _ADMINISTRATORS,
    "role:manage": _ADMINISTRATORS,
    "person:erase": _ADMINISTRATORS,
}


def may(role: str, act: str) -> bool:
    """Whether somebody of the staff with `role` may do `act`. An unknown act is a mistake of ours: KeyError."""
    return role in ACTS[act]


def acts_of(role: str) -> frozenset[str]:
    """All that `role` may do, for templates."""
    return frozenset(act for act, roles in ACTS.items() if role in roles)
