"""Revocation while everything runs: three web processes, two verifiers, load, 200 keys one after the other.

Once with what Redis keeps, once with what each process keeps (keys/unchanged.py). Where wrk is installed it asks each
web process as often as that answers, beside the watchers.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque

import pytest
from latchkey import Verifier

from tests.keys.stack import Asking, Load, Stack

pytestmark = pytest.mark.services

KEYS = 200


@pytest.fixture(params=[True, False], ids=["with Redis", "without Redis"])
def stack(tmp_path, request):
    made = Stack(tmp_path, hot=request.param)
    try:
        made.start(KEYS + 20)
        yield made
    finally:
        made.stop()


def test_a_revoked_key_is_accepted_by_no_request_that_started_later(stack, capsys):
    revoked_at: dict[str, float] = {}
    watched: deque[str] = deque(stack.keys[:3], maxlen=6)
    last_good: dict[str, float] = {}
    wrong: list[str] = []
    asked = {"API": 0, "verifiers": 0}
    lock = threading.Lock()
    stop = threading.Event()

    def watch(ask, who: str, allowed: float) -> None:
        count = 0
        while not stop.is_set():
            for key in [*watched, stack.keys[-1]]:
                ended = revoked_at.get(key)
                began = time.monotonic()
                good = ask(key)
                count += 1
                if good and ended is not None:
                    if began > ended + allowed:
                        wrong.append(f"{who}: {began - ended:.3f} s after the revocation had returned")
                    if allowed:
                        last_good[key] = max(last_good.get(key, 0.0), began - ended)
        with lock:
            asked[who] += count

    def api(port: int):
        asking = Asking(stack, port)

        def ask(key: str) -> bool:
            status, verdict = asking.verify(key, tool="get_companies")
            assert status == 200, verdict
            return bool(verdict["valid"])

        return ask

    verifiers = [Verifier(f"http://127.0.0.1:{stack.ports[place]}", stack.credential, timeout=10) for place in (0, 1)]
    watchers = [threading.Thread(target=watch, args=(api(port), "API", 0.0)) for port in stack.ports]
    watchers += [
        threading.Thread(target=watch, args=(lambda key, v=v: slowly(v, key), "verifiers", 1.0)) for v in verifiers
    ]
    loads = [Load(stack, port, stack.keys[KEYS:-1]) for port in stack.ports] if shutil.which("wrk") else []
    began = time.monotonic()
    for watcher in watchers:
        watcher.start()
    try:
        for key in stack.keys[:KEYS]:
            if key not in watched:
                watched.append(key)
            time.sleep(0.05)  # it gets into every cache first
            stack.revoke(key)
            revoked_at[key] = time.monotonic()
        time.sleep(1.2)
    finally:
        stop.set()
        for watcher in watchers:
            watcher.join(60)
        for verifier in verifiers:
            verifier.close()
        took = time.monotonic() - began
        loaded = [load.stop() for load in loads]
    late = sorted(last_good.values())
    with capsys.disabled():
        print(f"\n{len(revoked_at)} keys revoked in {took:.0f} s; accepted too late: {len(wrong)}")
        rates = {who: count / took for who, count in asked.items()}
        print(f"verdicts/s: {rates['API']:.0f} of the API, {rates['verifiers']:.0f} of the verifiers")
        for port, (requests, seconds, errors) in zip(stack.ports, loaded, strict=False):
            print(f"besides, port {port} answered {requests / seconds:.0f} requests/s of wrk, {errors} errors")
        if late:
            p50, p99, p999 = (late[int(len(late) * part)] for part in (0.5, 0.99, 0.999))
            print(f"verifiers still accepted {len(late)} of them, at most {late[-1]:.3f} s after; p50 {p50:.3f} s, "
                  f"p99 {p99:.3f} s, p99.9 {p999:.3f} s")  # fmt: skip
    assert not wrong, wrong[:5]
    assert not sum(errors for _requests, _seconds, errors in loaded)
    assert len(revoked_at) == KEYS
    assert asked["API"] > KEYS
    assert asked["verifiers"] > KEYS
    assert late, "no verifier had remembered anything: the test saw nothing"


def slowly(verifier: Verifier, key: str) -> bool:
    """A thousand times a second: a verifier answers so fast that it would leave no processor to the portal."""
    time.sleep(0.001)
    return verifier.verify(key, "get_companies").valid
