"""A portal with a throw-away data folder, on free ports, that ends with who asked for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess  # nosec B404
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management.base import CommandError


@contextmanager
def throw_away_portal() -> Iterator[dict[str, str]]:
    """A portal of its own that runs; its environment. It is stopped at the end, and its data are gone."""
    with tempfile.TemporaryDirectory(prefix="latchkey-screens-") as data:
        web, mcp = _free_port(), _free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LATCHKEY_")}
        environment |= {"LATCHKEY_DATA": data, "PORT": str(web), "MCP_PORT": str(mcp)}
        environment.pop("DATABASE_URL", None)
        environment.pop("REDIS_URL", None)
        command = [sys.executable, "manage.py", "up"]
        process = subprocess.Popen(  # noqa: S603  # nosec
            command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            _wait_for(process, lambda line: "Latchkey is running" in line)
            yield environment
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def _wait_for(process: subprocess.Popen[str], wanted: Callable[[str], bool]) -> None:
    assert process.stdout is not None
    shown = []
    for line in process.stdout:
        shown.append(line)
        if wanted(line):
            return
    raise CommandError("The portal did not start:\n" + "".join(shown))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
