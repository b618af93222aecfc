"""What acts for a member and has to end, or go to somebody else, when the member goes.

Companies know nothing of keys: whoever does registers here what a page should say, and reacts to `member_removed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from portal.companies.models import Company, Membership


@dataclass(frozen=True, slots=True)
class Belonging:
    """One kind of what a member has. `words` say what and how many: “3 keys”; `to_hand_over`: how many of them another
    member can have."""

    words: str
    to_hand_over: int = 0


@dataclass(frozen=True, slots=True)
class Keeper:
    """A room that knows of such things: `count` gives what a member has, `may_take` whether another can have it."""

    count: Callable[[Membership], list[Belonging]]
    may_take: Callable[[Membership], bool] | None = None


_KEEPERS: Final[list[Keeper]] = []


def register(keeper: Keeper) -> None:
    """Have `keeper` asked whenever a member is to go."""
    _KEEPERS.append(keeper)


def belongings(membership: Membership) -> list[Belonging]:
    """Everything that acts for the member."""
    return [found for keeper in _KEEPERS for found in keeper.count(membership)]


def heirs(membership: Membership) -> list[Membership]:
    """The other members who can take over what can be handed over."""
    company: Company = membership.company
    others = (
        company.memberships.exclude(pk=membership.pk).select_related("user", "company").order_by("user__name", "pk")
    )
    rules = [keeper.may_take for keeper in _KEEPERS if keeper.may_take]
    return [other for other in others if all(rule(other) for rule in rules)]
