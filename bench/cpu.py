"""`python3 -m bench.cpu`: the processor time of one request in process, beside a bare Django view.

No server, no sockets but those to the database and Redis: what is left is what the code costs. Processor time says the
same on a busy machine as on a quiet one, nearly; the processes take turns, and of each the least of its rounds counts.
A batch is KEYS keys in one request; its figures are those of one key.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from bench.servers import ROOT, read_json, run
from tests.keys.throwaway import ThrowawayPostgres, ThrowawayRedis, has_postgres

KEYS = 100
REQUESTS = 200
ROUNDS = 12
BARE = "bare Django view"


class Asked:
    """A process that answers requests when it is told to."""

    def __init__(self, name: str, environment: dict[str, str], path: str, tokens: Path | None) -> None:
        self.name = name
        self.figures: list[tuple[float, float]] = []
        self.keys = KEYS if path.endswith("/batch") else 1
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bench.cpu", "serve", path, str(tokens or "")], cwd=ROOT, text=True,
            env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def measure(self) -> None:
        """One round: µs of processor and of wall time for a request."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        cpu, wall = self.process.stdout.readline().split()
        self.figures.append((float(cpu) / self.keys, float(wall) / self.keys))

    def stop(self) -> None:
        """End it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)


def serve(path: str, tokens: str) -> None:
    """Answer REQUESTS requests for each line of standard input; print the time of one."""
    if tokens:
        from portal.wsgi import application

        made = read_json(Path(tokens))
        questions = [{"key": key, "tool": "get_companies"} for key in made["keys"]]
        if path.endswith("/batch"):
            bodies = [json.dumps({"items": questions}).encode()]
        else:
            bodies = [json.dumps(question).encode() for question in questions]
        credential = made["credential"]
    else:
        from bench.wsgi import application

        bodies, credential = [b'{"key": "x"}'], ["x"]
    requests = REQUESTS // 20 if path.endswith("/batch") else REQUESTS
    environs: list[dict[str, Any]] = [_environ(path, f"Bearer {credential}", body) for body in bodies]

    def answer(number: int) -> None:
        environ = dict(environs[number % len(environs)])
        environ["wsgi.input"] = BytesIO(bodies[number % len(bodies)])
        said: list[str] = []
        response = application(environ, lambda status, _headers: said.append(status))
        body = b"".join(response)
        _close(response)
        assert said == ["200 OK"] and b'"VALID"' in body, (said, body)

    for number in range(3 * KEYS if len(bodies) > 1 else 20):
        answer(number)
    for _line in sys.stdin:
        cpu, wall = time.thread_time(), time.perf_counter()
        for number in range(requests):
            answer(number)
        print((time.thread_time() - cpu) * 1e6 / requests, (time.perf_counter() - wall) * 1e6 / requests, flush=True)


def _close(response: Any) -> None:
    close: Callable[[], None] | None = getattr(response, "close", None)
    if close:
        close()


def _environ(path: str, authorization: str, body: bytes) -> dict[str, Any]:
    """As Granian makes it of a request of wrk."""
    return {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0), "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False,
        "HTTP_HOST": "127.0.0.1:8000", "HTTP_AUTHORIZATION": authorization, "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
    }  # fmt: skip


def main() -> None:
    """Start everything, take turns, print the table."""
    postgres: ThrowawayPostgres | None = None
    asked: list[Asked] = []
    with tempfile.TemporaryDirectory(prefix="latchkey-cpu-") as name:
        folder = Path(name)
        redis = ThrowawayRedis(folder)
        try:
            redis.start()
            bare = {"DJANGO_SETTINGS_MODULE": "bench.baselines"}
            asked.append(Asked(BARE, bare, "/bare", None))
            asked.append(Asked("bare DRF view", bare, "/drf", None))
            databases = {"SQLite": f"sqlite:///{folder / 'cpu'}.sqlite3"}
            if has_postgres():
                postgres = ThrowawayPostgres(folder)
                postgres.make()
                databases["PostgreSQL"] = postgres.url
            for place, (engine, url) in enumerate(databases.items()):
                asked += _ours(folder, engine, url, f"{redis.url[:-1]}{place}")
            for _round in range(ROUNDS):
                for one in asked:
                    one.measure()
        finally:
            for one in asked:
                one.stop()
            redis.kill()
            if postgres:
                postgres.remove()
    _show(asked)


def _ours(folder: Path, engine: str, url: str, redis_url: str) -> list[Asked]:
    environment = {
        "LATCHKEY_DATA": str(folder), "LATCHKEY_ENV": "development", "REDIS_URL": "", "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }  # fmt: skip
    tokens = folder / f"{engine}.json"
    run(environment, "-m", "django", "migrate", "-v0")
    run(environment, "manage.py", "fill", "--companies", str(KEYS), "--keys", str(KEYS * 2), "--sample", str(KEYS),
        "--tokens", str(tokens))  # fmt: skip
    path = "/api/v1/keys/verify"
    found = []
    for name, variables in ((engine, environment), (f"{engine} and Redis", environment | {"REDIS_URL": redis_url})):
        found.append(Asked(f"verify, {name}", variables, path, tokens))
        found.append(Asked(f"a key of a batch, {name}", variables, f"{path}/batch", tokens))
    return found


def _show(asked: list[Asked]) -> None:
    least = {one.name: tuple(min(figures) for figures in zip(*one.figures, strict=True)) for one in asked}
    print(f"{'':34}  CPU µs  with waits µs  bare view / it, CPU")
    for name, (cpu, wall) in least.items():
        print(f"{name:34}  {cpu:6.0f}  {wall:13.0f}  {least[BARE][0] / cpu:19.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:4])
    else:
        main()
