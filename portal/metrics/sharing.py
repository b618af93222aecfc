"""Putting the counts of several processes together, by files in the data folder.

Each process writes a file of its own, whole or not at all. What a process that ended counted stays counted: a counter
that falls would look to Prometheus as if all of it had been counted anew. A process that starts adds the files of
those that ended into one.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Final

from django.conf import settings

from portal.metrics.counts import Snapshot, added, counts

log = logging.getLogger(__name__)
SECONDS: Final = 2.0
_GONE: Final = "0"


class Sharer:
    """This process's file. `role`: what kind of process it is, `web` or `worker`."""

    def __init__(self, role: str, folder: Path | None = None) -> None:
        self.role = role
        self.folder = folder or settings.DATA_DIR / "metrics"
        self._path = self.folder / f"{role}-{os.getpid()}-{secrets.token_hex(4)}.json"
        self._write = threading.Lock()
        self._stop = threading.Event()

    def start(self) -> None:
        """Write now and then until the process ends, and once more then. Never fails: figures are not the product."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self.folder, exclusive=True):
                fold(self.folder, self.role)
        except (OSError, ValueError):
            log.warning("metrics cannot be written to the data folder", exc_info=True)
        threading.Thread(target=self._run, name="metrics", daemon=True).start()
        # A worker process of Granian ends as multiprocessing's children do: without atexit, but with its finalizers.
        Finalize(None, self.stop, exitpriority=50)

    def stop(self) -> None:
        """Write for the last time."""
        self._stop.set()
        self.write()

    def write(self) -> None:
        """Leave a copy of what this process counted."""
        with self._write:
            try:
                draft = self._path.with_suffix(".part")
                draft.write_text(json.dumps(_own()), encoding="utf-8")
                draft.replace(self._path)
            except OSError as error:
                log.debug("metrics were not written: %s", error)

    def _run(self) -> None:
        while not self._stop.wait(SECONDS):
            self.write()


def collected(folder: Path, role: str | None = None) -> dict[str, Snapshot]:
    """What all processes on this data folder counted, by role (or of `role` alone)."""
    found: dict[str, list[Snapshot]] = {}
    if folder.is_dir():
        with locked(folder, exclusive=False):
            for path in folder.glob(f"{role or '*'}-*.json"):
                with suppress(OSError, ValueError):
                    found.setdefault(path.name.split("-")[0], []).append(json.loads(path.read_text(encoding="utf-8")))
    return {name: added(snapshots) for name, snapshots in sorted(found.items())}


def fold(folder: Path, role: str) -> None:
    """Add the files of processes that ended into one. The caller holds the lock."""
    ended = [path for path in folder.glob(f"{role}-*.json") if not _lives(int(path.name.split("-")[1]))]
    if len(ended) < 2:
        return
    whole = added([json.loads(path.read_text(encoding="utf-8")) for path in ended])
    draft = folder / f"{role}-{_GONE}.part"
    draft.write_text(json.dumps(whole), encoding="utf-8")
    for path in ended:
        path.unlink()
    draft.replace(folder / f"{role}-{_GONE}-.json")


@contextmanager
def locked(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold the folder's lock: nobody reads while files are added together."""
    with (folder / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield


def _own() -> Snapshot:
    from keys.usage.counter import counter  # the verdicts are counted there already

    snapshot = counts.snapshot()
    snapshot["counts"] += [["latchkey_verdicts_total", [code], number] for code, number in counter.verdicts().items()]
    return snapshot


def _lives(process: int) -> bool:
    if process == 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_sharer: Sharer | None = None


def share(role: str) -> None:
    """From now on this process's counts can be seen, if anybody is to see them. Once a process."""
    global _sharer
    if _sharer is None and (settings.METRICS_TOKEN or settings.METRICS_PORT):
        _sharer = Sharer(role)
        _sharer.start()


def forget() -> None:
    """A forked child has no thread and must not write into its parent's file."""
    global _sharer
    _sharer = None


def write_now() -> None:
    """Bring this process's file up to date."""
    if _sharer is not None:
        _sharer.write()


os.register_at_fork(after_in_child=forget)
