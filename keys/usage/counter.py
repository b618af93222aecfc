"""Counting verdicts without a write in the request: a buffer in this process, handed to Celery every few seconds.

Each batch has an id, and writing it twice counts it once (keys/usage/services.py): the hand-over is at-least-once. A
process that is killed loses at most one interval; one that stops cleanly loses nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from django.db import connection

from keys.peppers import redigests
from keys.verdicts import Code

if TYPE_CHECKING:
    from keys.records import KeyRecord

log = logging.getLogger(__name__)

# (hour, server, company, key, code, tool, client) → count
CountKey = tuple[int, str, str, str, str, str, str]
# (key, address, client) → company, tool, code, first, last, count
SightingKey = tuple[str, str, str]
Batch = dict[str, Any]
# The key's record (None: an unknown key, counted for the server alone), the code, tool, client and its address.
Counted = tuple["KeyRecord | None", Code, str, str, str]
MOST_ENTRIES = 50_000


class Counter:
    """The buffer. Safe to call from several threads; counting costs two dictionary look-ups."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[CountKey, int] = {}
        self._sightings: dict[SightingKey, list[Any]] = {}
        self._unsent: list[tuple[str, Batch]] = []
        self._verdicts: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def count(self, server_id: str, verdicts: Iterable[Counted], *, now: float) -> None:
        """Count the verdicts that this server was given."""
        hour = int(now) // 3600 * 3600
        with self._lock:
            counts, sightings = self._counts, self._sightings
            for record, code, tool, client, address in verdicts:
                word = code._value_  # `value` is a descriptor written in Python
                if record is None:
                    entry: CountKey = (hour, server_id, "", "", word, "", "")
                else:
                    entry = (hour, server_id, record.company_id, record.id, word, tool, client)
                    where = (record.id, address, client)
                    sighting = sightings.get(where)
                    if sighting is None:
                        sightings[where] = [record.company_id, tool, word, now, now, 1]
                    else:
                        sighting[1:3] = (tool, word)
                        sighting[4] = now
                        sighting[5] += 1
                counts[entry] = counts.get(entry, 0) + 1
            full = len(counts) > MOST_ENTRIES or len(sightings) > MOST_ENTRIES
        if self._thread is None:
            self._start()
        elif full:
            self.flush()

    def flush(self, send: Callable[[str, Batch], object] | None = None) -> int:
        """Hand what was counted to `send(id, batch)` (a Celery task); what cannot be sent is kept. Batches sent."""
        if send is None:
            from keys.usage.tasks import write_usage

            send = write_usage.delay
        with self._lock:
            counts, self._counts = self._counts, {}
            sightings, self._sightings = self._sightings, {}
            _add_verdicts(self._verdicts, counts)
            if counts:
                self._unsent.append((uuid4().hex, _batch(counts, sightings)))
            waiting, self._unsent = self._unsent, []
        sent = 0
        for place, (identifier, batch) in enumerate(waiting):
            try:
                send(identifier, batch)
                sent += 1
            except Exception:  # the broker may be away in any way: nothing counted may be lost
                log.warning("usage is kept: %s batches wait for the broker", len(waiting) - place, exc_info=True)
                with self._lock:
                    self._unsent = waiting[place:] + self._unsent
                break
        return sent

    def verdicts(self) -> dict[str, int]:
        """Verdicts of this process since it began, by code: for metrics, at no cost to the one who counts."""
        with self._lock:
            found = dict(self._verdicts)
            _add_verdicts(found, self._counts)
        return found

    def _start(self) -> None:
        interval = settings.USAGE_FLUSH_SECONDS
        with self._lock:
            if not interval or self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, args=(interval,), name="usage", daemon=True)
            self._thread.start()
        # A worker process of Granian ends as multiprocessing's children do: without atexit, but with its finalizers.
        Finalize(None, self.stop, exitpriority=100)

    def _run(self, interval: float) -> None:
        while not self._stop.wait(interval):
            self.flush()
            if redigests.is_waiting:
                redigests.flush()
                connection.close()  # this thread has one for this alone, and seldom

    def stop(self) -> None:
        """Hand over what is left: the process ends."""
        self._stop.set()
        self.flush()


def _add_verdicts(verdicts: dict[str, int], counts: dict[CountKey, int]) -> None:
    for entry, count in counts.items():
        verdicts[entry[4]] = verdicts.get(entry[4], 0) + count


def _batch(counts: dict[CountKey, int], sightings: dict[SightingKey, list[Any]]) -> Batch:
    return {
        "counts": [[*entry, count] for entry, count in counts.items()],
        "sightings": [[*where, *what] for where, what in sightings.items()],
    }


counter = Counter()
