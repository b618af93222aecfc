"""Load by wrk, and what came of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.servers import Server

SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: requests a second, latencies in milliseconds, the server's processor time a request in µs."""

    rate: float
    p50: float
    p99: float
    cpu: float
    errors: int


@dataclass(slots=True)
class Target:
    """Something to load: where, and what is sent. `keys`: verdicts in one request."""

    name: str
    server: Server
    path: str
    headers: Sequence[str]
    bodies: Sequence[str]
    type: str = "application/json"
    keys: int = 1
    fresh: int = 0  # bodies for each run, when none shall be asked twice
    runs: list[Figures] = field(default_factory=list)

    def load(self, seconds: float, connections: int, folder: Path) -> None:
        """Load it once and keep the figures."""
        bodies = self.bodies
        if self.fresh:
            first = len(self.runs) * self.fresh % len(bodies)
            bodies = [*bodies[first:], *bodies[:first]]
        (folder / "bodies").write_text("\n".join(bodies))
        (folder / "headers").write_text("\n".join(self.headers))
        environment = {
            **os.environ,
            "BENCH_BODIES": str(folder / "bodies"),
            "BENCH_HEADERS": str(folder / "headers"),
            "BENCH_TYPE": self.type,
        }
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "-s",
            str(SCRIPT),
            self.server.url + self.path,
        ]
        before = self.server.cpu_seconds()
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout  # noqa: S603
        line = next(line for line in output.splitlines() if line.startswith("FIGURES")).split()
        requests, duration, errors = (int(part) for part in line[1:4])
        cpu = (self.server.cpu_seconds() - before) * 1e6 / max(1, requests)
        self.runs.append(Figures(requests / duration * 1e6, float(line[4]) / 1000, float(line[5]) / 1000, cpu, errors))

    def middle(self) -> Figures:
        """The medians over all runs; the errors of all."""
        return Figures(
            *(median(getattr(run, name) for run in self.runs) for name in ("rate", "p50", "p99", "cpu")),
            errors=sum(run.errors for run in self.runs),
        )


def missing() -> str:
    """What cannot be measured without, or ''."""
    return "" if shutil.which("wrk") else "wrk is not installed (Debian: apt-get install wrk)"
