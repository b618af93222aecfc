"""Who may do what: the one table that pages and API ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from portal.companies.models import Company


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
    "company:export": _MANAGERS,
    "company:transfer": _OWNERS,
    "company:close": _OWNERS,
    "card:confirm": _MANAGERS,
    "audit:view": _MANAGERS,
    "member:view": _EVERYONE,
    "member:leave": _EVERYONE,
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


# Act → rules of other rooms by which a company can allow it to fewer roles than the table; never to more.
_NARROWED: Final[dict[str, list[Callable[[Company, str], bool]]]] = {}


def narrow(act: str, rule: Callable[[Company, str], bool]) -> None:
    """Have `rule` (company, role) asked too, before anybody does `act`."""
    if act not in ACTS:
        raise KeyError(act)
    _NARROWED.setdefault(act, []).append(rule)


def may_in(company: Company, role: str, act: str) -> bool:
    """Whether a member of `company` with `role` may do `act`: by the table, and by what the company narrowed."""
    return may(role, act) and all(rule(company, role) for rule in _NARROWED.get(act, ()))


def may_manage(role: str, *roles: str) -> bool:
    """Whether `role` may invite, change or remove a member, if `roles` are what that member is and becomes.

    Owners are the business of owners.
    """
    return may(role, "owner:manage" if Role.OWNER in roles else "member:manage")


def manageable(role: str) -> list[Role]:
    """The roles that a member with `role` can give to others."""
    return [other for other in Role if may_manage(role, other)]
