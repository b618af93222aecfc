"""The verifier's cached path: verdicts a second on one core, and what it adds to a tool call."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.servers import ROOT, Server, read_json, run

sys.path.insert(0, str(ROOT / "keys/verifier"))


@dataclass(frozen=True, slots=True)
class Cached:
    """Verdicts a second of processor time, and the latency of one in microseconds."""

    rate: float
    p50: float
    p99: float


def measure(folder: Path, environment: Mapping[str, str], seconds: float) -> Cached:
    """Ask about 50 remembered keys in turn, from one thread, against a real portal whose feed is being polled."""
    from latchkey import Verifier

    variables = {**environment, "DATABASE_URL": f"sqlite:///{folder}/verifier.sqlite3",
                 "DJANGO_SETTINGS_MODULE": "portal.settings"}  # fmt: skip
    tokens = folder / "verifier.json"
    shutil.copy(folder / "template_portal.sqlite3", folder / "verifier.sqlite3")
    run(variables, "manage.py", "fill", "--companies", "50", "--keys", "50", "--sample", "50", "--tokens", str(tokens),
        "--plan", "unlimited")  # fmt: skip
    made = read_json(tokens)
    server = Server("verifier", "portal.wsgi:application", variables, folder)
    try:
        server.wait("/healthz/live")
        with Verifier(server.url, made["credential"]) as verifier:
            end = time.monotonic() + 10
            while verifier.remembered < len(made["keys"]) and time.monotonic() < end:
                for key in made["keys"]:
                    assert verifier.verify(key, "get_companies").valid
            return _ask(verifier, made["keys"], seconds)
    finally:
        server.stop()


def _ask(verifier: object, keys: list[str], seconds: float) -> Cached:
    verify, clock = verifier.verify, time.perf_counter_ns  # type: ignore[attr-defined]
    best = 0.0
    latencies: list[int] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began, asked = time.thread_time(), 0
        for _ in range(400):
            for key in keys:
                verify(key, "get_companies")
            asked += len(keys)
        best = max(best, asked / (time.thread_time() - began))
        for key in keys * 100:
            before = clock()
            verify(key, "get_companies")
            latencies.append(clock() - before)
    latencies.sort()
    return Cached(best, latencies[len(latencies) // 2] / 1000, latencies[int(len(latencies) * 0.99)] / 1000)
