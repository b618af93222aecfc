"""Mixed load on PostgreSQL and Redis with a fault every few seconds: `make endurance`. A table is printed.

All the time each web process is asked about good and revoked keys, and keys are revoked one after the other. What
must hold, whatever happens: no verdict asked for after a revocation had returned accepts the key, no revocation
that was acknowledged is lost, none lacks its audit event, the chains verify, counted use stays within what is
documented, and after each fault good verdicts come again within five seconds (in a run of five minutes or more).

LATCHKEY_ENDURANCE_SECONDS says how long (60 unless told otherwise). The clock of a process is stepped where libfaketime
is installed (docs/reliability.md).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from redis import Redis

from tests.keys.stack import ROOT, Asking, Stack
from tests.keys.throwaway import has_postgres

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(not has_postgres(), reason="PostgreSQL is not installed"),
]
SECONDS = int(os.environ.get("LATCHKEY_ENDURANCE_SECONDS", "60"))
EVERY = 20 if SECONDS >= 300 else 10
# Within this good verdicts come again; the short form runs on machines that have other things to do.
RECOVERY = 5.0 if SECONDS >= 300 else 30.0
GOOD = 20
PAUSE = 0.01  # between two questions of one asker: a load, and not all that the machine can do
INTERVAL = 1.0  # LATCHKEY_USAGE_FLUSH_SECONDS of the stack
# Repeats an act until it is acknowledged, as a person would who got an error page.
_REVOKER = """
import sys, time, django
django.setup()
from django.db import connection
from keys import services
from keys.models import Key
from portal.audit.actors import SYSTEM
print("ready", flush=True)
for line in sys.stdin:
    while True:
        try:
            services.revoke_key(key=Key.objects.get(pk=line.strip()), reason="endurance", actor=SYSTEM)
            break
        except Exception as error:
            print(type(error).__name__, file=sys.stderr, flush=True)
            connection.close()
            time.sleep(0.2)
    print("done", flush=True)
"""
_CHAINS = """
import django
django.setup()
from portal.audit.models import AuditChain
from portal.audit.services import verify_chain
print([f"{c.name}: {r.fault}" for c in AuditChain.objects.all() if (r := verify_chain(c.name)).fault])
"""


class Answer(NamedTuple):
    """One verdict: from which process, when it was asked for and came, which key, what it said."""

    port: int
    asked: float
    came: float
    key: str
    status: int
    code: str


class Load:
    """Asks every web process, all the time; revokes a key now and then."""

    def __init__(self, stack: Stack, good: list[str], doomed: list[str]) -> None:
        self.stack, self.good, self.doomed = stack, good, doomed
        self.answers: list[Answer] = []
        self.unanswered = 0
        self.revoked: dict[str, float] = {}  # key → when the act had returned
        self.slowest_act = 0.0
        self._stop, self._ready = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(port,)) for port in stack.ports]
        self._threads.append(threading.Thread(target=self._revoke))

    def __enter__(self) -> Load:
        self._threads[-1].start()
        assert self._ready.wait(120), "the revoking process does not start"
        for thread in self._threads[:-1]:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)

    def _ask(self, port: int) -> None:
        asking, number = Asking(self.stack, port), 0
        while not self._stop.is_set():
            number += 1
            # Three of the good ones, then one that is being revoked, has been, or will be.
            turn = self.doomed if number % 4 == 0 else self.good
            key = (
                turn[number % len(turn)]
                if turn is self.good
                else turn[min(len(self.revoked), len(turn) - 1) - number % 3]
            )
            time.sleep(PAUSE)
            asked = time.monotonic()
            try:
                status, body = asking.verify(key)
            except (OSError, ValueError):
                self.unanswered += 1
                time.sleep(0.05)
                continue
            self.answers.append(Answer(port, asked, time.monotonic(), key, status, body.get("code", "")))

    def _revoke(self) -> None:
        revoker = subprocess.Popen(
            [sys.executable, "-c", _REVOKER], cwd=ROOT, env=self.stack.environment, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=(self.stack.folder / "revoker.log").open("w"),
        )  # fmt: skip
        assert revoker.stdin and revoker.stdout
        revoker.stdout.readline()
        self._ready.set()
        pause = SECONDS / len(self.doomed)
        for key in self.doomed:
            if self._stop.wait(pause):
                break
            began = time.monotonic()
            revoker.stdin.write(key.split("_")[2] + "\n")
            revoker.stdin.flush()
            if revoker.stdout.readline().strip() != "done":
                break
            self.revoked[key] = time.monotonic()
            self.slowest_act = max(self.slowest_act, time.monotonic() - began)
        revoker.stdin.close()
        revoker.kill()
        revoker.wait()

    def good_since(self, port: int, moment: float) -> float | None:
        """When the process first gave a good verdict that was asked for after `moment`."""
        return next(
            (a.came for a in list(self.answers) if a.port == port and a.asked >= moment and a.code == "VALID"), None
        )


class Faults:
    """What goes wrong. Each returns when its cause is over; killed processes come back, as a supervisor has it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.web_kills: list[float] = []

    def redis_killed(self) -> None:
        self.stack.redis.kill()
        time.sleep(2)
        self.stack.redis.start()

    def postgres_restarted(self) -> None:
        assert self.stack.postgres
        self.stack.postgres.stop()
        time.sleep(1)
        self.stack.postgres.start()

    def worker_killed(self) -> None:
        self.stack.kill_worker()
        self.stack.start_worker()

    def web_killed(self) -> None:
        port = self.stack.ports[0]
        self.web_kills.append(time.monotonic())
        self.stack.kill_web(port)
        self.stack.start_web(port)

    def queue_full(self) -> None:
        """Redis refuses every write, as it does when its disk or its memory is full; it goes on reading."""
        redis = Redis.from_url(self.stack.redis.url)
        redis.config_set("maxmemory", "1")
        time.sleep(3)
        redis.config_set("maxmemory", "0")
        redis.close()

    def clock_stepped(self) -> None:
        """The wall clock of one web process is an hour ahead for two seconds, then an hour behind."""
        for offset in ("+3600", "-3600", "+0"):
            self.stack.set_clock(offset)
            time.sleep(2)  # it is looked at once a second

    def all(self) -> list[Callable[[], None]]:
        found = [self.redis_killed, self.postgres_restarted, self.worker_killed, self.web_killed, self.queue_full]
        return [*found, self.clock_stepped] if self.stack.clocked else found


@contextmanager
def running(folder) -> Iterator[Stack]:
    stack = Stack(folder, webs=2, durable=True, clocked=True)
    try:
        stack.start(GOOD + SECONDS // 3)
        stack.start_worker()
        yield stack
    finally:
        stack.stop()


def counted(stack: Stack) -> int:
    found = stack.query("SELECT COALESCE(SUM(count), 0) FROM usage_usagehour WHERE code = 'VALID'")
    return int(found[0][0] or 0)


def waiting(stack: Stack) -> int:
    """Good verdicts in batches that were handed over and are not written yet: in the queue, or lent to a worker."""
    with Redis.from_url(stack.redis.url) as redis:
        lent = [json.loads(held) for held in redis.hvals("unacked")]
        messages = [json.loads(message) for message in redis.lrange("usage", 0, -1)]
    messages += [message for message, _exchange, queue in lent if queue == "usage"]
    batches = dict(json.loads(base64.b64decode(message["body"]))[0] for message in messages)
    written = {row[0] for row in stack.query("SELECT id FROM usage_usagebatch")}
    return sum(
        row[-1] for batch, held in batches.items() if batch not in written for row in held["counts"] if "VALID" in row
    )


def settled(stack: Stack) -> tuple[int, int]:
    """What was counted and what waits, once nothing waits and the count has not grown for some intervals."""
    now, same, end = (-1, 0), 0, time.monotonic() + 60
    while same < 4 and time.monotonic() < end:
        time.sleep(INTERVAL)
        before, now = now, (counted(stack), waiting(stack))
        same = same + 1 if now == before and not now[1] else 0
    return now


def test_faults_under_load_leave_nothing_wrong(tmp_path_factory, capsys):
    table: list[tuple[str, str]] = []
    with running(tmp_path_factory.mktemp("endurance")) as stack:
        before, faults = counted(stack), Faults(stack)
        recoveries: dict[str, list[float]] = {}
        with Load(stack, stack.keys[:GOOD], stack.keys[GOOD:]) as load:
            while any(load.good_since(port, 0) is None for port in stack.ports):
                time.sleep(0.1)
            time.sleep(5)  # until each process has loaded what its first answer and its first hand-over need
            for number in range(SECONDS // EVERY):
                began, fault = time.monotonic(), faults.all()[number % len(faults.all())]
                fault()
                over = time.monotonic()
                while any(load.good_since(port, over) is None for port in stack.ports) and time.monotonic() < over + 60:
                    time.sleep(0.05)
                back = max(load.good_since(port, over) or over + 60 for port in stack.ports) - over
                recoveries.setdefault(fault.__name__, []).append(back)
                time.sleep(max(0.0, began + EVERY - time.monotonic()))
        answers, revoked = list(load.answers), dict(load.revoked)
        wrong = [a for a in answers if a.code == "VALID" and a.key in revoked and a.asked > revoked[a.key]]
        lost = [
            key
            for key in revoked
            for port in stack.ports
            if Asking(stack, port).verify(key)[1].get("code") != "REVOKED"
        ]
        events = dict(
            stack.query("SELECT target_id, count(*) FROM audit_auditevent WHERE action = 'key:revoked' GROUP BY 1")
        )
        not_once = [key for key in revoked if events.get(key.split("_")[2]) != 1]
        chains = stack.run("-c", _CHAINS).strip()
        valid = [a for a in answers if a.code == "VALID"]
        # A process that is killed takes at most what it counted in one interval along, and what it was handing over.
        bound = sum(
            2 * len([a for a in valid if a.port == stack.ports[0] and kill - INTERVAL * 1.5 <= a.came <= kill]) + 5
            for kill in faults.web_kills
        )
        written, held = settled(stack)
        missing = len(valid) - (written - before)
        worker = stack.worker.poll() if stack.worker else None
    failed = [a for a in answers if a.status != 200]
    table += [
        ("seconds, faults", f"{SECONDS}, {SECONDS // EVERY}"),
        ("verdicts asked for, without any answer", f"{len(answers)}, {load.unanswered}"),
        ("refused with 503 while the database was away", str(len([a for a in failed if a.status == 503]))),
        ("other failures", str(len([a for a in failed if a.status != 503]))),
        ("revocations acknowledged, the slowest", f"{len(revoked)}, {load.slowest_act:.1f} s"),
        ("accepted after its revocation", str(len(wrong))),
        ("revocations lost", str(len(lost))),
        ("audit events lost or doubled, chains broken", f"{len(not_once)}, {chains}"),
        ("good verdicts, not counted, at most by what is documented", f"{len(valid)}, {missing}, {bound}"),
        ("handed over and not written a minute later", str(held)),
        *((f"good verdicts again after: {name.replace('_', ' ')}", ", ".join(f"{s:.1f} s" for s in found))
          for name, found in recoveries.items()),
    ]  # fmt: skip
    with capsys.disabled():
        print("\n" + "\n".join(f"  {name:<58}{value}" for name, value in table))
    assert len(revoked) >= SECONDS / 20
    assert wrong == []
    assert lost == []
    assert not_once == [] and chains == "[]"
    assert worker is None, "the worker ended by itself"
    assert held == 0
    # A killed process may have handed over a verdict that nobody received: one for each of its threads.
    assert -2 * len(faults.web_kills) <= missing <= bound
    assert not [a for a in failed if a.status != 503]
    assert max(max(found) for found in recoveries.values()) < RECOVERY
