"""The verdicts that are remembered, and when they may be used. No input or output; time comes from the clock given.

A remembered verdict is used while all of this holds: its life is not over; the feed is trusted, which means that the
last poll that succeeded **started** less than `max_stale` ago, so every revocation from before then is known; and the
key's rate limit, as the portal last told it, is not used up.

`get` is the hot path and takes no lock: it reads a dict, and counts with `itertools.count`, whose `next` is one
indivisible step. Everything else holds the lock.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from latchkey.verdicts import Verdict

_SPARED = 16

# The digest of the key (never the key), tool, address, client. A tuple, so that no value can spill into another.
Name = tuple[bytes, "str | None", "str | None", "str | None"]


class Question(NamedTuple):
    """What was asked about a key, without the key."""

    tool: str | None
    client_ip: str | None
    client: str | None


class Count:
    """A count that many threads raise without a lock by calling `next`; read under the store's lock."""

    __slots__ = ("_own", "next", "seen")

    def __init__(self) -> None:
        self.next: Callable[[], int] = itertools.count(1).__next__
        self._own = 0
        self.seen = 0

    def value(self) -> int:
        """How often `next` was called by others. Reading takes a number too, which is discounted."""
        self._own += 1
        return self.next() - self._own


class Budget:
    """How many more calls of one key may be answered from memory. `limit` is in the numbers that `take` gives."""

    __slots__ = ("_own", "limit", "refused", "reported", "take")

    def __init__(self) -> None:
        self.take: Callable[[], int] = itertools.count(1).__next__
        self.limit: float = math.inf
        self.refused = Count()
        self.reported = 0
        self._own = 0

    def waiting(self) -> int:
        """Calls answered from memory of which the portal does not know yet."""
        self._own += 1
        return self.take() - self._own - self.refused.value() - self.reported

    def allow(self, calls: float) -> None:
        """Allow `calls` from now on."""
        self._own += 1
        self.limit = self.take() + calls


class Entry:
    """A remembered verdict and the number of calls that it answered."""

    __slots__ = ("budget", "hits", "looked", "question", "until", "verdict")

    def __init__(self, verdict: Verdict, until: float, budget: Budget, question: Question) -> None:
        self.verdict = verdict
        self.until = until
        self.budget = budget
        self.question = question
        self.hits = Count()
        self.looked = 0


class VerdictStore:
    """Up to `size` verdicts, of valid keys only."""

    def __init__(self, *, size: int, max_stale: float, clock: Callable[[], float]) -> None:
        self._size = size
        self._max_stale = max_stale
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[Name, Entry] = {}
        self._retired: list[Entry] = []
        self._budgets: dict[str, Budget] = {}
        self._trusted_until = -math.inf
        self._generation = 0
        self._has_baseline = False

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_trusted(self) -> bool:
        """Whether what is remembered may be used now, as far as the feed decides."""
        return self._clock() < self._trusted_until

    def get(self, name: Name) -> Verdict | None:
        """The verdict remembered under `name`, counted as one call; None: ask the portal."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        now = self._clock()
        budget = entry.budget
        if now >= self._trusted_until or now >= entry.until:
            return None
        if budget.take() > budget.limit:
            budget.refused.next()
            return None
        entry.hits.next()
        return entry.verdict

    def stamp(self) -> int | None:
        """To be taken before the portal is asked and given back to `put`. None: the feed has no starting point yet.

        Without one, a revocation between the portal's answer and the feed's first cursor would never be heard of.
        """
        return self._generation if self._has_baseline else None

    def put(self, name: Name, verdict: Verdict, question: Question, *, until: float, stamp: int | None) -> bool:
        """Remember `verdict`, unless the feed told of anything since `stamp` was taken: it may be about this key."""
        with self._lock:
            if stamp is None or stamp != self._generation or not self._has_baseline:
                return False
            if (old := self._entries.pop(name, None)) is not None:
                self._retired.append(old)
            budget = self._budgets.setdefault(verdict.key_id, Budget())
            budget.allow(_left(verdict, budget))
            self._make_room()
            self._entries[name] = Entry(verdict, until, budget, question)
            return True

    def trust(self, started: float) -> None:
        """A poll that started at `started` has succeeded and all that it told has been forgotten."""
        self._has_baseline = True
        self._trusted_until = max(self._trusted_until, started + self._max_stale)

    def prolong(self, started: float) -> None:
        """The portal said at a poll started at `started` that nothing can have been revoked: its database is away."""
        if self._has_baseline:
            self._trusted_until = max(self._trusted_until, started + self._max_stale)

    def forget(self, events: Iterable[Mapping[str, Any]]) -> int:
        """Drop what the feed's `events` are about; one that is not understood drops everything. Returns how many."""
        keys, companies, everything, any_event = set(), set(), False, False
        for event in events:
            any_event = True
            if isinstance(event.get("key_id"), str):
                keys.add(event["key_id"])
            elif isinstance(event.get("company_id"), str):
                companies.add(event["company_id"])
            else:
                everything = True
        if not any_event:
            return 0
        with self._lock:
            # Before anything is dropped, so that no answer that is under way can be remembered after it.
            self._generation += 1
            doomed = [
                name
                for name, entry in self._entries.items()
                if everything
                or entry.verdict.key_id in keys
                or (entry.verdict.company is not None and entry.verdict.company.id in companies)
            ]
            for name in doomed:
                self._retired.append(self._entries.pop(name))
            return len(doomed)

    def collect(self) -> list[dict[str, Any]]:
        """Calls answered from memory since the last `collect`, as items of a usage report. Forgets what is over."""
        with self._lock:
            now = self._clock()
            retired, self._retired = self._retired, []
            counted = [item for entry in retired if (item := self._counted(entry))]
            for name, entry in list(self._entries.items()):
                if item := self._counted(entry):
                    counted.append(item)
                if entry.until <= now:
                    # Counted once more next time: another thread may be between `get` and its count.
                    self._retired.append(self._entries.pop(name))
            in_use = {entry.verdict.key_id for entry in itertools.chain(self._entries.values(), self._retired)}
            for key_id in self._budgets.keys() - in_use:
                if self._budgets[key_id].waiting() <= 0:
                    del self._budgets[key_id]
            return counted

    def reported(self, items: Iterable[Mapping[str, Any]]) -> None:
        """The portal has counted `items`, or will never."""
        with self._lock:
            for item in items:
                if budget := self._budgets.get(item["key_id"]):
                    budget.reported += item["count"]

    def _counted(self, entry: Entry) -> dict[str, Any] | None:
        value = entry.hits.value()
        calls, entry.hits.seen = value - entry.hits.seen, value
        if not calls:
            return None
        tool, client_ip, client = entry.question
        item = {"key_id": entry.verdict.key_id, "tool": tool, "client": client, "client_ip": client_ip, "count": calls}
        return {name: value for name, value in item.items() if value is not None}

    def _make_room(self) -> None:
        # Second chance: the oldest goes, unless it was used since it was last looked at. Near to least recently used,
        # and costs the hot path nothing.
        spared = 0
        while len(self._entries) >= self._size:
            name = next(iter(self._entries))
            entry = self._entries.pop(name)
            used = entry.hits.value()
            if spared < _SPARED and entry.until > self._clock() and used > entry.looked:
                entry.looked = used
                self._entries[name] = entry
                spared += 1
            else:
                self._retired.append(entry)


def _left(verdict: Verdict, budget: Budget) -> float:
    """How many calls of the key may be answered from memory: what the portal said, less what it does not know of."""
    if verdict.rate_limit is None:
        return math.inf
    return max(0, verdict.rate_limit.remaining - budget.waiting())
