"""Counts of this process. Adding is a dictionary entry under a lock: less than a microsecond, and no I/O."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from typing import Any

from portal.metrics.names import BUCKETS, COUNTERS, HISTOGRAMS

Series = tuple[str, tuple[str, ...]]
# {"counts": [[name, labels, value]], "rows": [[name, labels, [in each bucket …, beyond them, sum]]]}
Snapshot = dict[str, list[list[Any]]]


class Counts:
    """What was counted since this process began."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin at nothing: a forked child must not count again what its parent counted."""
        self._lock = threading.Lock()
        self._counts: dict[Series, int] = {}
        self._rows: dict[Series, list[float]] = {}

    def add(self, name: str, *labels: str, by: int = 1) -> None:
        """Count `by` more of `name`."""
        series = (name, labels)
        with self._lock:
            self._counts[series] = self._counts.get(series, 0) + by

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """Count one of `name` that took `seconds`."""
        series = (name, labels)
        with self._lock:
            row = self._rows.get(series)
            if row is None:
                row = self._rows[series] = [0.0] * (len(BUCKETS) + 2)
            row[bisect_left(BUCKETS, seconds)] += 1
            row[-1] += seconds

    def snapshot(self) -> Snapshot:
        """A copy as JSON can hold it. A name that names.py does not know is a KeyError: it would never be shown."""
        with self._lock:
            counts: list[list[Any]] = [[name, list(labels), value] for (name, labels), value in self._counts.items()]
            rows: list[list[Any]] = [[name, list(labels), list(row)] for (name, labels), row in self._rows.items()]
        for name, labels, _value in counts + rows:
            if len((COUNTERS | HISTOGRAMS)[name].labels) != len(labels):
                raise KeyError(f"{name} has other labels")
        return {"counts": counts, "rows": rows}


counts = Counts()
add, observe = counts.add, counts.observe
os.register_at_fork(after_in_child=counts.forget)


def added(snapshots: list[Snapshot]) -> Snapshot:
    """The sum of `snapshots`."""
    counts: dict[Series, int] = {}
    rows: dict[Series, list[float]] = {}
    for snapshot in snapshots:
        for name, labels, value in snapshot["counts"]:
            series = (name, tuple(labels))
            counts[series] = counts.get(series, 0) + value
        for name, labels, row in snapshot["rows"]:
            series = (name, tuple(labels))
            rows[series] = [one + other for one, other in zip(rows.get(series, [0.0] * len(row)), row, strict=True)]
    return {
        "counts": [[name, list(labels), value] for (name, labels), value in sorted(counts.items())],
        "rows": [[name, list(labels), row] for (name, labels), row in sorted(rows.items())],
    }
