"""A rotation as a picture: two bars, the old value above the new one, on one line of time. Drawn here, no script."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from django.utils import timezone

from keys.models import Credential, Key

WIDTH: Final = 600
_SWITCH: Final = 150  # where the new value begins: what came before is short, what follows is what matters
# Not to scale: an hour beside a year would be no wider than a hair. Longer overlaps are still longer.
_LONGER: Final = ((timedelta(0), 0), (timedelta(hours=1), 60), (timedelta(days=1), 140), (timedelta(days=7), 260))
_LONGEST: Final = 340


@dataclass(frozen=True, slots=True)
class Picture:
    """Where the bars begin and end, in units of WIDTH, and the moments that they stand for."""

    switch: int
    old_end: int
    switched_at: datetime
    ends_at: datetime
    now: int | None = None  # where the present is, between the switch and the end of the overlap

    @property
    def overlap(self) -> int:
        """How wide the time is in which both values work."""
        return self.old_end - self.switch

    @property
    def new_width(self) -> int:
        """How wide the bar of the new value is: to the edge."""
        return WIDTH - self.switch


def planned(key: Key, hours: int, *, now: datetime | None = None) -> Picture:
    """The rotation of `key` now, with an overlap of `hours`, which never passes the key's own expiry."""
    now = now or timezone.now()
    overlap = timedelta(hours=hours)
    if key.expires_at:
        overlap = max(min(overlap, key.expires_at - now), timedelta(0))
    return Picture(_SWITCH, _SWITCH + _width(overlap), now, now + overlap)


def going_on(old: Credential, newer: Credential, *, now: datetime | None = None) -> Picture | None:
    """The rotation from `old` to `newer` as it stands; None if the old value has ended."""
    now = now or timezone.now()
    if not old.overlap_ends_at or old.overlap_ends_at <= now:
        return None
    whole = old.overlap_ends_at - newer.created_at
    width = _width(whole)
    passed = min(max((now - newer.created_at) / whole, 0.0), 1.0) if whole else 1.0
    return Picture(_SWITCH, _SWITCH + width, newer.created_at, old.overlap_ends_at, _SWITCH + round(width * passed))


def _width(overlap: timedelta) -> int:
    for (least, start), (most, end) in pairwise(_LONGER):
        if overlap <= most:
            return start + round((end - start) * ((overlap - least) / (most - least)))
    return _LONGEST
