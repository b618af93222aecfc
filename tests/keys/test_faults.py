"""Real processes are killed and started again: what was promised holds. The counts are printed."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from urllib.parse import urlsplit

import psycopg
import pytest
from latchkey import Verifier
from redis import Redis

from tests.keys.stack import Asking, Stack
from tests.keys.throwaway import has_postgres

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(not has_postgres(), reason="PostgreSQL is not installed"),
]
KEYS = 40
# As many batches as a web process hands over in 200 intervals.
_BATCHES = """
import time, uuid, django
django.setup()
from keys.usage.tasks import write_usage
hour = int(time.time()) // 3600 * 3600
for number in range(200):
    counts = [[hour, "server", "company", "key", "VALID", "", "", 1]]
    write_usage.delay(uuid.uuid4().hex, {"counts": counts, "sightings": []})
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    made = Stack(tmp_path_factory.mktemp("stack"), webs=2)
    try:
        made.start(KEYS)
        yield made
    finally:
        made.stop()


class Load:
    """Asks each web process about `keys` all the time, and keeps what came back."""

    def __init__(self, stack: Stack, keys: list[str]) -> None:
        self.stack, self.keys = stack, keys
        self.answers: list[tuple[int, int, str]] = []  # port, status, code
        self.broken: dict[int, int] = {}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(port,)) for port in stack.ports]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, port: int) -> None:
        asking, number = Asking(self.stack, port), 0
        while not self._stop.is_set():
            number += 1
            try:
                status, body = asking.verify(self.keys[number % len(self.keys)])
                self.answers.append((port, status, body.get("code", body.get("type", ""))))
            except OSError:
                self.broken[port] = self.broken.get(port, 0) + 1
                time.sleep(0.05)

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for _port, status, code in list(self.answers):
            found[f"{status} {code}"] = found.get(f"{status} {code}", 0) + 1
        return found


def health(stack: Stack) -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.ports[0]}/healthz/ready", timeout=10) as answer:
        return json.loads(answer.read())


def counted(stack: Stack) -> int:
    return int(stack.query("SELECT COALESCE(SUM(count), 0) FROM usage_usagehour WHERE code = 'VALID'")[0][0] or 0)


def until(done, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.2)


def show(capsys, text: str) -> None:
    with capsys.disabled():
        print(f"\n{text}")


def test_redis_killed_and_restarted(stack, capsys):
    """Verdicts go on without one wrong or failed answer; what is revoked meanwhile stays revoked after."""
    keys = stack.keys[:10]
    stack.revoke(stack.keys[10])  # the revoking process is there
    asking = Asking(stack, stack.ports[0])
    with Load(stack, keys) as load:
        time.sleep(1)
        stack.redis.kill()
        time.sleep(1)
        assert health(stack)["components"]["redis"] == "away"
        began = time.monotonic()
        stack.revoke(stack.keys[11])
        waited = time.monotonic() - began
        during = asking.verify(stack.keys[11])[1]["code"]
        stack.redis.start()
        after = {asking.verify(key)[1]["code"] for key in stack.keys[10:12] for _ in range(50)}
        until(lambda: health(stack)["components"]["redis"] == "ok")
        time.sleep(1)
    show(capsys, f"Redis killed and restarted: {load.counts()}; a revocation meanwhile took {waited:.2f} s")
    assert load.counts().keys() == {"200 VALID"}
    assert not load.broken
    assert (during, after) == ("REVOKED", {"REVOKED"})


def test_postgres_stopped_and_started(stack, capsys):
    """Fails closed with 503 and Retry-After; a verifier goes on with what it remembers; all is well after."""
    keys = stack.keys[:5]
    with Verifier(f"http://127.0.0.1:{stack.ports[0]}", stack.credential, timeout=10) as verifier:
        until(lambda: verifier.verify(keys[0]).valid and verifier.remembered and verifier.is_trusting)
        stack.postgres.stop()
        time.sleep(2.5)  # what web processes keep has run out; the verifier may use its verdict for 30 s
        remembered = verifier.verify(keys[0])
        with Load(stack, keys) as load:
            time.sleep(2)
            stack.postgres.start()
            until(lambda: load.answers and load.answers[-1][1] == 200)
            time.sleep(1)
            load.answers.clear()
            time.sleep(1)
            after = load.counts()
        status, problem = Asking(stack, stack.ports[1]).verify(keys[1])
    show(capsys, f"PostgreSQL stopped and started: the verifier said {remembered.code} meanwhile; after: {after}")
    assert remembered.valid
    assert after.keys() == {"200 VALID"}
    assert (status, problem["code"]) == (200, "VALID")


def test_without_postgres_the_answer_is_no(stack, capsys):
    stack.postgres.stop()
    try:
        time.sleep(2.5)
        with Load(stack, stack.keys[:5]) as load:
            time.sleep(2)
        request = urllib.request.Request(
            f"http://127.0.0.1:{stack.ports[0]}/api/v1/keys/verify",
            json.dumps({"key": stack.keys[0]}).encode(),
            {"Authorization": f"Bearer {stack.credential}", "Content-Type": "application/json"},
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
    finally:
        stack.postgres.start()
    show(capsys, f"PostgreSQL away: {load.counts()}")
    assert {name.partition(" ")[0] for name in load.counts()} == {"503"}
    assert refused.value.headers["Retry-After"]
    until(lambda: Asking(stack, stack.ports[0]).verify(stack.keys[0])[0] == 200)


def test_a_worker_killed_in_the_middle_of_a_flush(stack, capsys):
    """Its batch comes again and is counted once: no call is lost, none counted twice."""
    asking = [Asking(stack, port) for port in stack.ports]
    stack.start_worker()
    time.sleep(3)
    until(lambda: settled(stack))
    before = counted(stack)
    parts = urlsplit(stack.postgres.url)
    with psycopg.connect(host="127.0.0.1", port=parts.port, user="latchkey", dbname="latchkey") as lock:
        lock.execute("LOCK TABLE usage_usageday IN SHARE MODE")
        for number in range(200):
            assert asking[number % 2].verify(stack.keys[20 + number % 5])[1]["valid"]
        # The batch is being written: it waits for the lock, with half of its work done.
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'usage_usageday'::regclass"
        with psycopg.connect(host="127.0.0.1", port=parts.port, user="latchkey", dbname="latchkey") as look:
            until(lambda: look.execute(waiting).fetchone()[0] > 0)
        stack.kill_worker()
    stack.start_worker()
    for number in range(100):
        assert asking[number % 2].verify(stack.keys[20 + number % 5])[1]["valid"]
    until(lambda: counted(stack) - before >= 300)
    time.sleep(3)
    total = counted(stack) - before
    show(capsys, f"worker killed while it wrote: 300 calls made, {total} counted")
    assert total == 300


def test_a_queue_that_refuses_to_write_ends_no_worker(stack, capsys):
    """As with a full disk or memory: Redis goes on reading. Its worker waits, and all that was in the queue is counted,
    the batch too that it may have taken when Redis refused to note it (portal/redis_queue.py)."""
    if stack.worker is not None:
        stack.kill_worker()
    before = counted(stack)
    stack.run("-c", _BATCHES)
    stack.start_worker()
    until(lambda: counted(stack) - before >= 20)
    with Redis.from_url(stack.redis.url) as redis:
        redis.config_set("maxmemory", "1")
        time.sleep(3)
        at_most = counted(stack) - before
        redis.config_set("maxmemory", "0")
    until(lambda: counted(stack) - before >= 200, 90)
    total = counted(stack) - before
    show(capsys, f"Redis refused to write for 3 s: {at_most} batches counted by then, {total} of 200 in the end")
    assert at_most < 200
    assert stack.worker.poll() is None
    assert total == 200


def settled(stack: Stack) -> bool:
    first = counted(stack)
    time.sleep(1.5)
    return counted(stack) == first


def test_a_web_process_killed(stack, capsys):
    """The other goes on; of the killed one's counts at most one interval is lost."""
    if stack.worker is None:
        stack.start_worker()
    until(lambda: settled(stack))
    before = counted(stack)
    dying, living = stack.ports
    with Load(stack, stack.keys[25:30]) as load:
        time.sleep(4)
        at_kill = len([1 for port, *_ in load.answers if port == dying])
        began = time.monotonic()
        stack.kill_web(dying)
        time.sleep(2)
        stack.start_web(dying)
        took = time.monotonic() - began
        time.sleep(1)
    rate = at_kill / 4
    answered = len(load.answers)
    assert load.counts().keys() == {"200 VALID"}
    assert living not in load.broken
    until(lambda: settled(stack))
    lost = answered - (counted(stack) - before)
    show(capsys, f"a web process killed and back after {took:.1f} s: {answered} calls answered, {lost} not counted "
                 f"(its rate was {rate:.0f}/s, its interval 1 s)")  # fmt: skip
    assert 0 <= lost <= 2.5 * rate + 5


def test_a_clean_stop_loses_nothing(stack, capsys):
    """Last: it stops the web processes."""
    if stack.worker is None:
        stack.start_worker()
    until(lambda: settled(stack))
    before = counted(stack)
    asking = [Asking(stack, port) for port in stack.ports]
    for number in range(100):
        assert asking[number % 2].verify(stack.keys[30 + number % 5])[1]["valid"]
    stack.stop_webs()
    until(lambda: counted(stack) - before >= 100)
    total = counted(stack) - before
    show(capsys, f"web processes stopped at once after 100 calls: {total} counted")
    assert total == 100
