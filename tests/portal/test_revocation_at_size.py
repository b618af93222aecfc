"""A hundred thousand keys by rule on PostgreSQL: its worker is killed in the middle, verification goes on meanwhile."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.keys.stack import ROOT, Asking, Stack
from tests.keys.throwaway import has_postgres

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(not has_postgres(), reason="PostgreSQL is not installed"),
]
KEYS = 100_000
_START = """
import django
django.setup()
from keys.models import McpServer
from portal.audit.actors import SYSTEM
from portal.staff.revocations import runs
from portal.staff.revocations.rules import Rule
server = McpServer.objects.get(name="fill")
print(runs.start_run(rule=Rule(server=server.pk), reason="Leaked", actor=SYSTEM, tell_owners=False).pk)
"""
_CONTINUE = "import django; django.setup(); from portal.staff.revocations import runs; print(runs.continue_all())"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    made = Stack(tmp_path_factory.mktemp("stack"), webs=1)
    try:
        made.start(KEYS)
        yield made
    finally:
        made.stop()


class Asker:
    """Asks about one key after the other, and keeps how long each answer took."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.times, self.codes = stack, [], {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Asker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        asking, number = Asking(self.stack, self.stack.ports[0]), 0
        while not self._stop.is_set():
            number += 1
            began = time.perf_counter()
            status, body = asking.verify(self.stack.keys[number * 97 % len(self.stack.keys)])
            self.times.append(time.perf_counter() - began)
            code = f"{status} {body.get('code')}"
            self.codes[code] = self.codes.get(code, 0) + 1
            time.sleep(0.005)

    def p99(self) -> float:
        return sorted(self.times)[int(len(self.times) * 0.99)] * 1000


def resident(process: subprocess.Popen[bytes]) -> float:
    """Megabytes of the worker's memory."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def script(stack: Stack, text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, env=stack.environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_hundred_thousand_keys_with_a_worker_that_dies(stack, capsys):
    def revoked() -> int:
        return int(stack.query("SELECT count(*) FROM keys_key WHERE revoked_reason = 'Leaked'")[0][0])

    def until(number: int) -> None:
        end = time.monotonic() + 1200
        while revoked() < number:
            assert time.monotonic() < end
            time.sleep(0.5)

    expected = int(stack.query("SELECT count(*) FROM keys_key WHERE revoked_at IS NULL")[0][0])
    with Asker(stack) as before:
        time.sleep(10)
    stack.start_worker()
    time.sleep(5)
    began = time.monotonic()
    with Asker(stack) as during:
        run = script(stack, _START)
        until(expected // 10)
        assert stack.worker is not None
        early = resident(stack.worker)
        until(expected // 2)
        late = resident(stack.worker)
        stack.kill_worker()
        left = revoked()
        time.sleep(21)  # nobody works on it: the sweep may hand it over
        assert revoked() == left < expected
        assert script(stack, _CONTINUE) == "1"
        stack.start_worker()
        until(expected)
    took = time.monotonic() - began
    end = time.monotonic() + 60
    while stack.query(f"SELECT state FROM staff_revocationrun WHERE id = '{run}'")[0][0] != "done":
        assert time.monotonic() < end
        time.sleep(0.5)
    events = stack.query("SELECT count(*), count(DISTINCT target_id) FROM audit_auditevent WHERE action='key:revoked'")
    with capsys.disabled():
        print(
            f"\n{expected} keys in {took:.0f} s (with 21 s of nobody); worker {early:.0f} then {late:.0f} MB; "
            f"p99 of verification {before.p99():.1f} ms before, {during.p99():.1f} ms meanwhile; {during.codes}"
        )
    assert events == [(expected, expected)], "nothing missed, nothing twice"
    assert stack.query(f"SELECT keys_done FROM staff_revocationrun WHERE id = '{run}'")[0][0] == expected
    assert set(during.codes) <= {"200 VALID", "200 REVOKED"}
    assert late < early + 40, "memory is flat"
    assert during.p99() < max(2 * before.p99(), 50)
    asking = Asking(stack, stack.ports[0])
    assert {asking.verify(key)[1]["code"] for key in stack.keys[::1000]} == {"REVOKED"}
