"""Limits of a key: requests a minute (a token bucket, so that bursts pass) and a quota for the calendar month, UTC."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import NamedTuple

from django.conf import settings

from keys.once_read import once_read

MOST_BUCKETS = 100_000


class Limits(NamedTuple):
    """Requests a minute and a month; None: without limit."""

    per_minute: int | None
    per_month: int | None


class Permit(NamedTuple):
    """Whether a request may pass, and what is left. `reset_at`, `retry_after`: epoch seconds, seconds."""

    allowed: bool
    limit: int
    remaining: int
    reset_at: float
    retry_after: int = 0


def limits_of(plan: str, per_minute: int | None, per_month: int | None) -> Limits:
    """A key's own limits where it has them, else those of its company's plan (settings.PLANS)."""
    plans = _plans()
    default = plans.get(plan) or plans["standard"]
    if per_minute is None and per_month is None:
        return default
    return Limits(
        per_minute if per_minute is not None else default[0], per_month if per_month is not None else default[1]
    )


@once_read
def _plans() -> dict[str, Limits]:
    return {name: Limits(*limits) for name, limits in settings.PLANS.items()}


def month_of(now: float) -> str:
    """The calendar month (UTC) of the epoch time `now`, such as `2026-11`."""
    return _month(int(now) // 3600)[0]


def month_ends(now: float) -> float:
    """When the calendar month (UTC) of `now` ends, epoch seconds."""
    return _month(int(now) // 3600)[1]


@lru_cache(maxsize=16)
def _month(hour: int) -> tuple[str, float]:
    moment = datetime.fromtimestamp(hour * 3600, UTC)
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return moment.strftime("%Y-%m"), datetime(year, month, 1, tzinfo=UTC).timestamp()


def bucket(limit: int, tokens: float, elapsed: float, count: int) -> tuple[bool, float]:
    """The token bucket: `tokens` left `elapsed` seconds ago, `count` wanted → whether it may pass, tokens left now."""
    tokens = min(float(limit), tokens + max(elapsed, 0.0) * limit / 60)
    return (True, tokens - count) if tokens >= count else (False, tokens)


class MemoryLimiter:
    """Limits kept in this process: for one web process without Redis. Safe to call from several threads."""

    def __init__(
        self, used_by_keys: Callable[[Collection[str], float], dict[str, int]], clock: Callable[[], float] = time.time
    ) -> None:
        self._used_by_keys = used_by_keys
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._months: OrderedDict[tuple[str, str], int] = OrderedDict()

    def take(self, key_id: str, limits: Limits, count: int = 1, *, force: bool = False) -> Permit | None:
        """Take `count` requests from the key's limits, all or none (`force`: even beyond); None if it has no limit."""
        return self.take_all([(key_id, limits, count)], force=force)[0]

    def take_all(self, wanted: Sequence[tuple[str, Limits, int]], *, force: bool = False) -> list[Permit | None]:
        """The same for each key id, limits and count, one after the other. At most one query."""
        now = self._clock()
        month = month_of(now)
        unknown = [item[0] for item in wanted if item[1].per_month is not None and (item[0], month) not in self._months]
        if unknown:
            self.learn(unknown, now)
        with self._lock:
            permits = [self._take(key_id, limits, count, now, month, force) for key_id, limits, count in wanted]
            while len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
            while len(self._months) > MOST_BUCKETS:
                self._months.popitem(last=False)
        return permits

    def _take(self, key_id: str, limits: Limits, count: int, now: float, month: str, force: bool) -> Permit | None:
        per_minute, per_month = limits
        if per_month is None:
            return None if per_minute is None else self._take_minute(key_id, per_minute, count, now, force)
        name = (key_id, month)
        used = self._months.get(name, 0)
        if used + count > per_month and not force:
            end = month_ends(now)
            return Permit(False, per_month, 0, end, max(1, math.ceil(end - now)))
        permit = None if per_minute is None else self._take_minute(key_id, per_minute, count, now, force)
        if permit is None or permit.allowed:
            self._months[name] = used + count
            self._months.move_to_end(name)
            left = per_month - used - count
            if permit is None or left < permit.remaining:
                permit = Permit(True, per_month, max(left, 0), month_ends(now))
        return permit

    def learn(self, key_ids: Collection[str], now: float) -> None:
        """Read what these keys used of the month, where that is not known yet. One query or none."""
        name = month_of(now)
        unknown = {key_id for key_id in key_ids if (key_id, name) not in self._months}
        if unknown:
            used = self._used_by_keys(unknown, now)  # a query: outside the lock
            with self._lock:
                for key_id in unknown:
                    self._months.setdefault((key_id, name), used.get(key_id, 0))

    def _take_minute(self, key_id: str, limit: int, count: int, now: float, force: bool) -> Permit:
        tokens, since = self._buckets.get(key_id, (float(limit), now))
        allowed, left = bucket(limit, tokens, now - since, count)
        if force and not allowed:
            allowed, left = True, left - count
        self._buckets[key_id] = (left, now)
        self._buckets.move_to_end(key_id)
        return permit_of(limit, allowed, left, count, now)

    def clear(self) -> None:
        """Forget everything (tests)."""
        with self._lock:
            self._buckets.clear()
            self._months.clear()


def permit_of(limit: int, allowed: bool, left: float, count: int, now: float) -> Permit:
    """The bucket's state in words: `reset_at` is when it is full again, for a refusal when `count` will pass."""
    rate = limit / 60
    if allowed:
        return Permit(True, limit, max(0, math.floor(left)), now + (limit - left) / rate)
    wait = (count - left) / rate if rate else 60.0
    return Permit(False, limit, 0, now + wait, max(1, math.ceil(wait)))


@cache
def limiter() -> MemoryLimiter:
    """The limiter of this process."""
    from keys.usage.services import used_by_keys  # models: not while the applications load

    return MemoryLimiter(used_by_keys)
