"""Keeps a few processes running: starts them, waits for their health, restarts what dies, stops all at the end.

Knows nothing of Django, nor of what the processes do. Each runs in a session of its own, so that Ctrl-C reaches the
supervisor alone and a process that dies takes its children with it. On Linux they also end when the supervisor is
killed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess  # nosec B404
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Final

STOP_SECONDS: Final = 8.0
STABLE_SECONDS: Final = 60.0
MOST_FAILURES: Final = 5  # in a row, none of them stable in between
LONGEST_PAUSE: Final = 15.0
LOGS_KEPT: Final = 3
LARGEST_LOG: Final = 20 * 1024 * 1024
_TICK = 0.2
_TROUBLE = (" ERROR ", " CRITICAL ", '"level": "ERROR"', '"level": "CRITICAL"')
_PR_SET_PDEATHSIG = 1
# Loaded before any fork: a child between fork and exec may not import.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class CannotStart(Exception):
    """A process did not come up, or does not stay up. Says which and shows the end of its log."""


class AlreadyRunning(Exception):
    """Another supervisor holds the folder; the text is what it wrote about itself."""


@dataclass(slots=True)
class Process:
    """One process to keep running. `healthy` says whether it does its work; it may be asked often."""

    name: str
    command: Sequence[str]
    healthy: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    log: Path = field(init=False)
    running: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    failures: int = field(default=0, init=False)
    start_again_at: float = field(default=0.0, init=False)
    shown: int = field(default=0, init=False)  # how much of the log has been looked through for errors


class Supervisor:
    """Runs `processes` with their logs in `logs`; `say` gets the lines for the terminal."""

    def __init__(self, processes: Sequence[Process], logs: Path, working: Path, say: Callable[[str], None]) -> None:
        self.processes, self.working, self.say = processes, working, say
        self.stopping = False
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        for process in processes:
            process.log = logs / f"{process.name}.log"
            rotate(process.log)

    def start(self, limit: float) -> None:
        """Start all and return when all are healthy. Raises CannotStart when one exits, or after `limit` seconds."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        until = time.monotonic() + limit
        for process in self.processes:
            self._spawn(process)
        waiting = list(self.processes)
        while waiting and not self.stopping:
            for process in waiting:
                if process.running is not None and (code := process.running.poll()) is not None:
                    raise CannotStart(self._obituary(process, f"stopped at once ({_exit_words(code)})"))
            waiting = [process for process in waiting if not process.healthy()]
            if waiting and time.monotonic() > until:
                raise CannotStart(self._obituary(waiting[0], f"was not healthy within {limit:.0f} seconds"))
            if waiting:
                time.sleep(_TICK)

    def watch(self) -> None:
        """Restart what dies and show errors, until told to stop. Raises CannotStart if one dies again and again."""
        while not self.stopping:
            for process in self.processes:
                self._tend(process)
            time.sleep(_TICK)

    def stop(self) -> None:
        """End all processes and their children: asked first, killed after `STOP_SECONDS`."""
        alive = [process for process in self.processes if process.running is not None]
        for process in alive:
            _signal_group(process, signal.SIGTERM, whole=False)
        until = time.monotonic() + STOP_SECONDS
        for process in alive:
            if process.running is not None:
                with suppress(subprocess.TimeoutExpired):
                    process.running.wait(max(0.0, until - time.monotonic()))
            _signal_group(process, signal.SIGKILL, whole=True)  # whatever it left behind
            if process.running is not None:
                process.running.wait()
            process.running = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _tend(self, process: Process) -> None:
        now = time.monotonic()
        self._show_errors(process)
        if process.running is None:
            if now >= process.start_again_at:
                self._spawn(process)
            return
        code = process.running.poll()
        if code is None:
            return
        _signal_group(process, signal.SIGKILL, whole=True)
        process.running = None
        process.failures = 1 if now - process.started_at > STABLE_SECONDS else process.failures + 1
        if process.failures >= MOST_FAILURES:
            raise CannotStart(self._obituary(process, f"stopped {process.failures} times ({_exit_words(code)})"))
        pause = min(2.0 ** (process.failures - 1), LONGEST_PAUSE)
        process.start_again_at = now + pause
        self.say(
            f"{process.name} stopped ({_exit_words(code)}); it is started again in {pause:.0f} s. See {process.log}"
        )

    def _spawn(self, process: Process) -> None:
        if process.log.exists() and process.log.stat().st_size > LARGEST_LOG:
            rotate(process.log)
        parent = os.getpid()
        with process.log.open("ab") as log:
            process.shown = log.tell()
            process.running = subprocess.Popen(  # noqa: S603  # nosec B603
                list(process.command), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, **process.environment}, cwd=self.working, start_new_session=True,
                preexec_fn=lambda: _die_with(parent),
            )  # fmt: skip
        process.started_at = time.monotonic()

    def _show_errors(self, process: Process) -> None:
        """Say the lines of the log that tell of an error, and keep the log from growing for ever."""
        try:
            size = process.log.stat().st_size
        except OSError:
            return
        if size <= process.shown:
            return
        with process.log.open("rb") as log:
            log.seek(process.shown)
            lines = log.read(256 * 1024)
        process.shown += len(lines)
        for line in lines.decode(errors="replace").splitlines():
            if any(mark in line for mark in _TROUBLE):
                self.say(f"{process.name}: {line[:400]}")
        if size > LARGEST_LOG:
            shutil.copyfile(process.log, process.log.with_suffix(".1.log"))
            os.truncate(process.log, 0)  # it is open for appending: the process goes on at the beginning
            process.shown = 0

    def _obituary(self, process: Process, what: str) -> str:
        lines = process.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        return "\n".join([f"{process.name} {what}. The end of {process.log}:", *("  " + line for line in lines)])


def rotate(log: Path) -> None:
    """Keep the logs of the last starts as `name.1.log` (the latest) to `name.3.log`."""
    for number in range(LOGS_KEPT, 0, -1):
        older = log if number == 1 else log.with_suffix(f".{number - 1}.log")
        if older.exists():
            older.replace(log.with_suffix(f".{number}.log"))


def hold(folder: Path, about: str) -> IO[str]:
    """Hold `folder` for this process until the returned file is closed or the process ends, however it ends.

    `about` is what the next one is told. Raises AlreadyRunning if another process holds it.
    """
    file = (folder / "up.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read()
        file.close()
        raise AlreadyRunning(holder) from error
    file.truncate(0)
    file.write(about)
    file.flush()
    return file


def _die_with(parent: int) -> None:
    """In the child: ask Linux for SIGTERM when the supervisor dies, even by kill -9."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before this line
            os._exit(1)


def _signal_group(process: Process, number: signal.Signals, *, whole: bool) -> None:
    """Send `number` to the process, or to all that it started too (its session has its process id)."""
    if process.running is not None:
        with suppress(ProcessLookupError, PermissionError):
            if whole:
                os.killpg(process.running.pid, number)
            elif process.running.poll() is None:
                process.running.send_signal(number)


def _exit_words(code: int) -> str:
    if code < 0:
        return signal.Signals(-code).name
    return f"exit {code}"
