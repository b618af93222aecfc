"""The portal as real processes on PostgreSQL (SQLite where there is none) and Redis, for tests that break things."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.keys.throwaway import ThrowawayPostgres, ThrowawayRedis, faketime, free_port, has_postgres

ROOT = Path(__file__).resolve().parents[2]
_REVOKER = """
import sys, django
django.setup()
from keys import services
from keys.models import Key
from portal.audit.actors import SYSTEM
print("ready", flush=True)
for line in sys.stdin:
    services.revoke_key(key=Key.objects.get(pk=line.strip()), reason="test", actor=SYSTEM)
    print("done", flush=True)
"""


class Stack:
    """`webs` web processes, a worker on request, and keys to use.

    `durable`: what waits in the queue outlives a crash of Redis. `clocked`: the last web process has a clock of its own
    (set_clock), if libfaketime is there. `hot`: with Redis; else the processes know of no Redis.
    """

    def __init__(
        self, folder: Path, webs: int = 3, *, durable: bool = False, clocked: bool = False, hot: bool = True
    ) -> None:
        self.folder = folder
        self.redis = ThrowawayRedis(folder, durable=durable)
        self.postgres = ThrowawayPostgres(folder) if has_postgres() else None
        database = self.postgres.url if self.postgres else f"sqlite:///{folder}/stack.sqlite3"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.keys.stack_settings",
            "LATCHKEY_DATA": str(folder),
            "LATCHKEY_ENV": "development",
            "LATCHKEY_USAGE_FLUSH_SECONDS": "1",
            "DATABASE_URL": database,
            "REDIS_URL": self.redis.url if hot else "",
            "PYTHONPATH": str(ROOT),
        }
        self.ports = [free_port() for _ in range(webs)]
        self.clock = folder / "clock"
        self.clocked = self.ports[-1] if clocked and faketime() else 0
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.worker: subprocess.Popen[bytes] | None = None
        self.revoker: subprocess.Popen[str] | None = None

    def start(self, keys: int) -> None:
        """Start all; `keys` good keys with a limit that is not met."""
        self.redis.start()
        if self.postgres:
            self.postgres.make()
        self.run("-m", "django", "migrate", "-v0")
        made = self.folder / "tokens.json"
        self.run("-m", "django", "fill", "--companies", "5", "--keys", str(keys), "--sample", str(keys),
                 "--tokens", str(made), "--plan", "plus")  # fmt: skip
        found = json.loads(made.read_text())
        self.credential, self.keys = found["credential"], list(found["keys"])
        for port in self.ports:
            self.start_web(port)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set_clock(self, offset: str) -> None:
        """Step the wall clock of the process that has its own, as by "+3600"; monotonic clocks go on as they are."""
        new = self.clock.with_suffix(".new")
        new.write_text(f"{offset}\n")
        new.replace(self.clock)

    def start_web(self, port: int) -> None:
        own_clock = {}
        if port == self.clocked:
            self.set_clock("+0")
            own_clock = {
                "LD_PRELOAD": faketime(),
                "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",  # each import looks at files
            }
        self.processes[port] = self._spawn(
            "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
            "--blocking-threads", "2", "--no-ws", "--log-level", "warning", "portal.wsgi:application", name="web",
            **own_clock,
        )  # fmt: skip
        end = time.monotonic() + 90
        while True:
            with suppress(OSError, http.client.HTTPException):
                asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                asked.request("GET", "/healthz/live")
                if asked.getresponse().status == 200:
                    return
            assert time.monotonic() < end, "the web process does not answer"
            time.sleep(0.2)

    def start_worker(self) -> None:
        self.worker = self._spawn(
            "-m", "celery", "-A", "portal.celery", "worker", "--pool", "threads", "--concurrency", "2", "--loglevel",
            "WARNING", "--without-gossip", "--without-mingle", name="worker",
        )  # fmt: skip

    def kill_worker(self) -> None:
        if self.worker is not None:
            self._kill(self.worker)
            self.worker = None

    def kill_web(self, port: int) -> None:
        self._kill(self.processes.pop(port))

    def revoke(self, key: str) -> None:
        """Revoke `key` in yet another process; returns when the act has returned there."""
        if self.revoker is None:
            self.revoker = subprocess.Popen(
                [sys.executable, "-c", _REVOKER], cwd=ROOT, env=self.environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            assert self._line() == "ready"
        assert self.revoker.stdin is not None
        self.revoker.stdin.write(key.split("_")[2] + "\n")
        self.revoker.stdin.flush()
        assert self._line() == "done"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the stack's PostgreSQL."""
        assert self.postgres is not None
        with psycopg.connect(host="127.0.0.1", port=self.postgres.port, user="latchkey", dbname="latchkey") as made:
            return made.execute(sql).fetchall()

    def stop_webs(self) -> None:
        """A clean stop: what they counted is handed over."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            self._kill(process)
        self.processes.clear()

    def stop(self) -> None:
        self.stop_webs()
        self.kill_worker()
        if self.revoker is not None:
            self.revoker.kill()
            self.revoker.wait()
        self.redis.kill()
        if self.postgres:
            self.postgres.remove()

    def _line(self) -> str:
        assert self.revoker is not None
        assert self.revoker.stdout is not None
        return self.revoker.stdout.readline().strip()

    def _spawn(self, *arguments: str, name: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.environment | environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Load:
    """As many questions about good keys as one web process answers, from wrk with four connections, until `stop`."""

    def __init__(self, stack: Stack, port: int, keys: list[str]) -> None:
        bodies, headers = stack.folder / f"bodies-{port}", stack.folder / f"headers-{port}"
        bodies.write_text("\n".join(json.dumps({"key": key, "tool": "get_companies"}) for key in keys))
        headers.write_text(f"Bearer {stack.credential}")
        self._process = subprocess.Popen(
            ["wrk", "-t1", "-c4", "-d600s", "-s", str(ROOT / "bench/load.lua"),
             f"http://127.0.0.1:{port}/api/v1/keys/verify"],
            env={**os.environ, "BENCH_BODIES": str(bodies), "BENCH_HEADERS": str(headers),
                 "BENCH_TYPE": "application/json"}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def stop(self) -> tuple[int, float, int]:
        """Requests, seconds and errors."""
        self._process.send_signal(signal.SIGINT)
        output = self._process.communicate(timeout=30)[0]
        figures = next(line for line in output.splitlines() if line.startswith("FIGURES")).split()
        return int(figures[1]), int(figures[2]) / 1e6, int(figures[3])


class Asking:
    """A keep-alive connection to one web process."""

    def __init__(self, stack: Stack, port: int) -> None:
        self.stack, self.port = stack, port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def verify(self, key: str, **fields: str) -> tuple[int, dict[str, Any]]:
        """Status and body. A connection that broke is made anew once; OSError if that fails too."""
        body = json.dumps({"key": key, **fields})
        headers = {"Authorization": f"Bearer {self.stack.credential}", "Content-Type": "application/json"}
        for attempt in (1, 2):
            try:
                self.connection.request("POST", "/api/v1/keys/verify", body, headers)
                answer = self.connection.getresponse()
                return answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException):
                self.connection.close()
                if attempt == 2:
                    raise
        raise AssertionError("not reached")
