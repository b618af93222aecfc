"""Floods of made-up keys: refused before the database is asked, without locking anybody out.

Each server credential may ask about so many unknown ids a minute for each client address. Beyond that, questions for
the same address are refused as RATE_LIMITED, but only about ids that this process has not seen to exist: keys in use
go on. Nobody without the credential can fill its bucket, and a flood from one address is no matter of another one's.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from typing import Final

from keys import tokens
from keys.limits import bucket
from keys.peppers import newest

PER_MINUTE: Final = 120
# A server that does not tell its clients' addresses shares one bucket between them all.
PER_MINUTE_UNADDRESSED: Final = 1200
MOST_KNOWN: Final = 200_000
MOST_BUCKETS: Final = 10_000


class UnknownIds:
    """The buckets of this process, and the ids that are known to exist. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._buckets: OrderedDict[tuple[bytes, str], tuple[float, float]] = OrderedDict()

    def refuse(self, credential: str, address: str | None, key_id: str, now: float) -> int:
        """Seconds to wait before asking about `key_id`; 0: look it up."""
        if not self._buckets or key_id in self._known:
            return 0
        name, limit = _name(credential, address), _limit(address)
        left, since = self._buckets.get(name, (float(limit), now))
        left = bucket(limit, left, now - since, 0)[1]
        return 0 if left >= 1 else max(1, math.ceil((1 - left) * 60 / limit))

    def note(self, credential: str, address: str | None, now: float) -> None:
        """Count an unknown id against an authenticated `credential` and the address it asked for."""
        name, limit = _name(credential, address), _limit(address)
        with self._lock:
            left, since = self._buckets.get(name, (float(limit), now))
            self._buckets[name] = (bucket(limit, left, now - since, 1)[1], now)
            self._buckets.move_to_end(name)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)

    def know(self, key_id: str) -> None:
        """Remember that `key_id` exists. Never a reason to accept it: only not to refuse it unseen."""
        if key_id in self._known:
            return
        with self._lock:
            self._known[key_id] = None
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)

    def clear(self) -> None:
        """Forget everything (tests)."""
        with self._lock:
            self._known.clear()
            self._buckets.clear()


def _limit(address: str | None) -> int:
    return PER_MINUTE if address else PER_MINUTE_UNADDRESSED


def _name(credential: str, address: str | None) -> tuple[bytes, str]:
    """The credential by a digest: no secret stays in memory."""
    return tokens.digest(credential, newest()[1]), address or ""


unknown_ids = UnknownIds()
