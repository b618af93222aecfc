"""When the verifiers of each MCP server polled the invalidation feed last, and how far they had come.

Kept in the cache, noted every few seconds by each web process: a poll costs two dictionary look-ups, never a write.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.core.cache import cache

from keys.models import FeedEvent, FeedHead

NOTED_EVERY: Final = 5.0
KEPT: Final = 7 * 86_400
_noted: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Poll:
    """The last poll that was noted: its time in epoch seconds, and what the verifier knew after it."""

    at: float
    cursor: int


def note(server_id: str, cursor: str, *, now: float | None = None) -> None:
    """Remember that a verifier of the server asked just now and was told everything until `cursor`."""
    now = time.time() if now is None else now
    if now - _noted.get(server_id, 0.0) < NOTED_EVERY:
        return
    _noted[server_id] = now
    cache.set(f"feed:poll:{server_id}", (now, int(cursor)), KEPT)


def polls(server_ids: Iterable[str]) -> dict[str, Poll]:
    """Server → its last poll, for those that polled within a week: one read of the cache."""
    names = {f"feed:poll:{identifier}": identifier for identifier in server_ids}
    return {names[name]: Poll(*value) for name, value in cache.get_many(names).items()}


def behind(server_id: str, poll: Poll) -> int:
    """How many events of the server came after its last poll, counted as far as 1,000: one or two queries by index."""
    head = FeedHead.objects.filter(pk=1).values_list("number", flat=True).first() or 0
    if poll.cursor >= head:
        return 0
    return FeedEvent.objects.filter(server_id=server_id, number__gt=poll.cursor)[:1000].count()
