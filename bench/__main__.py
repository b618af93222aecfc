"""`python3 -m bench`: the verify endpoint beside its baselines and peers, in one run and one table.

Runs are short and interleaved, and what counts are medians and ratios: a busy machine then disturbs all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import table, verifier
from bench.load import Target, missing
from bench.servers import ROOT, Server, read_json, run
from tests.keys.throwaway import ThrowawayPostgres, ThrowawayRedis, has_postgres

CONNECTIONS = 16
WARM = 100
COLD = 60_000
SIZES = {"1 k": (100, 1_000), "100 k": (10_000, 100_000), "1 M": (100_000, 1_000_000)}
BATCH = 100


class Bench:
    """Everything that one run needs, in a folder that goes at the end."""

    def __init__(self, folder: Path, quick: bool, sizes: dict[str, tuple[int, int]]) -> None:
        self.folder, self.quick, self.sizes = folder, quick, sizes
        self.targets: list[Target] = []
        self.servers: list[Server] = []
        self.skipped: list[str] = []
        self.templates: set[tuple[str, str]] = set()
        self.postgres = ThrowawayPostgres(folder) if has_postgres() and not quick else None
        self.redis = ThrowawayRedis(folder)
        self.environment = {
            "LATCHKEY_DATA": str(folder),
            "LATCHKEY_ENV": "development",
            "REDIS_URL": "",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder / "peers")]),
        }

    def start(self) -> None:
        """Make the databases and start every server."""
        self.redis.start()
        if self.postgres:
            self.postgres.make()
        else:
            self.skipped.append("PostgreSQL: " + ("this is a quick run" if self.quick else "not installed"))
        self._install_peers()
        for engine in self._engines():
            self._add_baselines(engine)
            for size in self.sizes:
                self._add_ours(engine, size)

    def measure(self, rounds: int, seconds: float) -> None:
        """Load every target in turn, several times; once for nothing first, since much is made at first use."""
        for target in self.targets:
            target.load(1, CONNECTIONS, self.folder)
            target.runs.clear()
        for number in range(rounds):
            for target in self.targets:
                target.load(seconds, CONNECTIONS, self.folder)
            say(f"round {number + 1} of {rounds}")

    def stop(self) -> None:
        """End everything."""
        for server in self.servers:
            server.stop()
        self.redis.kill()
        if self.postgres:
            self.postgres.remove()

    def _engines(self) -> list[str]:
        return ["SQLite", "PostgreSQL"] if self.postgres else ["SQLite"]

    def _install_peers(self) -> None:
        command = [
            sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps",
            "--require-hashes", "--target", str(self.folder / "peers"), "-r", str(ROOT / "bench/requirements.lock"),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            self.skipped.append("peers: " + (done.stderr.strip().splitlines() or ["pip failed"])[-1])

    def _database(self, engine: str, name: str, settings: str) -> str:
        """The address of a database of its own with the tables of `settings`: migrated once, then copied."""
        template = f"template_{settings.partition('.')[0]}"
        first = (engine, template) not in self.templates
        self.templates.add((engine, template))
        if engine == "SQLite" or self.postgres is None:
            url = f"sqlite:///{self.folder / template}.sqlite3"
            if first:
                self._migrate(url, settings)
            shutil.copy(self.folder / f"{template}.sqlite3", self.folder / f"{name}.sqlite3")
            return f"sqlite:///{self.folder / name}.sqlite3"
        if first:
            self.postgres.create(template)
            self._migrate(self.postgres.url_of(template), settings)
        self.postgres.create(name, template)
        return self.postgres.url_of(name)

    def _migrate(self, url: str, settings: str) -> None:
        environment = {**self.environment, "DJANGO_SETTINGS_MODULE": settings, "DATABASE_URL": url}
        run(environment, "-m", "django", "migrate", "-v0")

    def _serve(self, name: str, application: str, environment: dict[str, str], path: str) -> Server:
        made = Server(name, application, {**self.environment, **environment}, self.folder)
        self.servers.append(made)
        made.wait(path)
        return made

    def _add_baselines(self, engine: str) -> None:
        environment = {
            "DJANGO_SETTINGS_MODULE": "bench.baselines",
            "DATABASE_URL": self._database(engine, f"peers_{engine.lower()}", "bench.baselines"),
        }
        code = (
            "import django, json; django.setup(); from bench import baselines; "
            f"print(json.dumps(baselines.prepare({WARM})))"
        )
        asked: dict[str, Any] = json.loads(run({**self.environment, **environment}, "-c", code).splitlines()[-1])
        server = self._serve(f"peers-{engine}", "bench.wsgi:application", environment, "/bare")
        body = ['{"key": "x"}']
        if engine == "SQLite":
            self.targets.append(Target(table.BARE, server, "/bare", ["x"], body))
            self.targets.append(Target("bare DRF view, DRF's defaults", server, "/drf", ["x"], body))
            lean = self._serve("lean", "bench.wsgi:application", environment | {"BENCH_MIDDLEWARE": "none"}, "/bare")
            self.targets.append(Target("bare Django view, no middleware", lean, "/bare", ["x"], body))
        names = {"api-key": "djangorestframework-api-key", "knox": "django-rest-knox",
                 "introspect": "django-oauth-toolkit, introspection"}  # fmt: skip
        for path, how in asked.items():
            self.targets.append(
                Target(f"{names[path]}, {engine}", server, f"/{path}", how["headers"], how.get("bodies", body),
                       how.get("type", "application/json"))
            )  # fmt: skip

    def _add_ours(self, engine: str, size: str) -> None:
        companies, keys = self.sizes[size]
        url = self._database(engine, "ours_" + size.replace(" ", "").lower(), "portal.settings")
        environment = {"DJANGO_SETTINGS_MODULE": "portal.settings", "DATABASE_URL": url}
        tokens = self.folder / "tokens.json"
        say(run({**self.environment, **environment}, "manage.py", "fill", "--companies", str(companies), "--keys",
                str(keys), "--sample", str(min(keys // 2, COLD)), "--tokens", str(tokens)).strip()
            + f" ({engine})")  # fmt: skip
        if size == "1 k":
            run({**self.environment, **environment}, "-m", "bench.access_tokens", str(tokens), str(WARM))
        made = read_json(tokens)
        headers = [f"Bearer {made['credential']}"]
        bodies, of_clients = (
            [json.dumps({"key": text, "tool": "get_companies"}) for text in made.get(kind, [])]
            for kind in ("keys", "access_tokens")
        )
        for place, with_redis in enumerate((False, True)):
            name = table.ours(engine, size, with_redis)
            variables = environment | {"REDIS_URL": f"{self.redis.url[:-1]}{place}" if with_redis else ""}
            server = self._serve(name.replace(" ", "-").replace(",", ""), "portal.wsgi:application", variables,
                                 "/healthz/live")  # fmt: skip
            verify = "/api/v1/keys/verify"
            self.targets.append(Target(f"{name}, warm", server, verify, headers, bodies[:WARM]))
            self.targets.append(
                Target(f"{name}, cold", server, verify, headers, bodies, fresh=max(1, len(bodies) // 10))
            )
            if size == "1 k":
                self.targets.append(Target(f"{name}, access tokens", server, verify, headers, of_clients))
                self.targets.append(
                    Target(f"{name}, batch of {BATCH}", server, verify + "/batch", headers, _batches(made["keys"]),
                           keys=BATCH)
                )  # fmt: skip


def _batches(keys: list[str]) -> list[str]:
    groups = [keys[start : start + BATCH] for start in range(0, len(keys) - BATCH + 1, BATCH)]
    return [json.dumps({"items": [{"key": key, "tool": "get_companies"} for key in group]}) for group in groups]


def say(text: str) -> None:
    """A line of progress, beside the table."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print, and say by the exit code whether anything failed."""
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and short, for CI: fails on errors only")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/performance.md has it")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--sizes", default="", help="how many keys, such as 1k,100k (default: 1k,100k,1M)")
    options = parser.parse_args()
    wanted = (options.sizes or ("1k" if options.quick else "1k,100k,1M")).split(",")
    sizes = {name: counts for name, counts in SIZES.items() if name.replace(" ", "") in wanted}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    if reason := missing():
        say(f"skipped: {reason}")
        return 0
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as folder:
        bench = Bench(Path(folder), options.quick, sizes)
        try:
            bench.start()
            bench.measure(options.rounds or (1 if options.quick else 4), options.seconds or (1 if options.quick else 3))
            cached = verifier.measure(Path(folder), bench.environment, 1.0 if options.quick else 3.0)
        finally:
            bench.stop()
    print(table.show(bench.targets, cached, bench.skipped, options.markdown))
    return 1 if any(target.middle().errors for target in bench.targets) else 0


if __name__ == "__main__":
    sys.exit(main())
