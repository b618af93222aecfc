"""What a review recommends for one key or connection, and why. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from keys import scopes

UNUSED: Final = timedelta(days=90)
NEVER_USED: Final = timedelta(days=30)
OLD: Final = timedelta(days=365)
FEW_TOOLS: Final = 3


class Advice(StrEnum):
    """What to do."""

    KEEP = "keep"
    ROTATE = "rotate"
    REVOKE = "revoke"
    NARROW = "narrow"


class Why(StrEnum):
    """The reason, each with words in keys/reviews/words.py."""

    IN_USE = "in_use"
    NEW = "new"
    NEVER_USED = "never_used"
    UNUSED = "unused"
    OLD = "old"
    NO_EXPIRY = "no_expiry"
    FEW_TOOLS = "few_tools"
    READS_ONLY = "reads_only"


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides. `tools`: those that were called in the last 90 days; connections have no value to rotate."""

    is_key: bool
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    scopes: Collection[str]
    tools: Collection[str]
    read_only_tools: Collection[str]


def recommend(facts: Facts, now: datetime) -> tuple[Advice, Why]:
    """The most urgent thing to do: end what nobody uses, renew what is old, take away what is not needed."""
    if facts.last_used_at is None:
        if now - facts.created_at > NEVER_USED:
            return Advice.REVOKE, Why.NEVER_USED
        return Advice.KEEP, Why.NEW
    if now - facts.last_used_at > UNUSED:
        return Advice.REVOKE, Why.UNUSED
    if facts.is_key and now - facts.created_at > OLD:
        return Advice.ROTATE, Why.OLD
    if facts.is_key and facts.expires_at is None:
        return Advice.ROTATE, Why.NO_EXPIRY
    if scopes.ALL in facts.scopes and facts.tools:
        if set(facts.tools) <= set(facts.read_only_tools):
            return Advice.NARROW, Why.READS_ONLY
        if len(set(facts.tools)) <= FEW_TOOLS:
            return Advice.NARROW, Why.FEW_TOOLS
    return Advice.KEEP, Why.IN_USE
