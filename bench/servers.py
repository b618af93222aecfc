"""Starting what is measured: Granian with one worker and one thread, for the portal and for the baselines alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.keys.throwaway import free_port

ROOT = Path(__file__).resolve().parent.parent


class Server:
    """One web process at `url`. Its log stands in `folder`."""

    def __init__(self, name: str, application: str, environment: Mapping[str, str], folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, **environment, "PORT": str(self.port)}
        self.log = (folder / f"{name}.log").open("ab")
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port),
            "--workers", "1", "--blocking-threads", "1", "--no-ws", "--log-level", "warning", application,
        ]  # fmt: skip
        self.process = subprocess.Popen(  # noqa: S603
            command, cwd=ROOT, env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True
        )

    def wait(self, path: str) -> None:
        """Until it answers."""
        end = time.monotonic() + 60
        while True:
            with suppress(OSError):
                urllib.request.urlopen(self.url + path, timeout=5).read()  # noqa: S310
                return
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"A server did not start; see {self.log.name}")
            time.sleep(0.1)

    def cpu_seconds(self) -> float:
        """Processor time of the server's processes so far."""
        ticks = 0
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                    if int(fields[3]) == self.process.pid:  # the session
                        ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        self.log.close()


def run(environment: Mapping[str, str], *arguments: str) -> str:
    """A command of the project's Python; its output. Raises SystemExit with it if it fails."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def read_json(path: Path) -> dict[str, list[str]]:
    """What a command left in `path`."""
    found: dict[str, list[str]] = json.loads(path.read_text())
    return found
