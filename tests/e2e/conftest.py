"""The real processes, on free ports with a data folder of their own: web (Granian) and the portal's MCP server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.own_services import own_services

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Stack:
    """A running portal and its MCP server, with the demo data of a development run."""

    folder: Path
    portal: str
    mcp: str
    environment: dict[str, str]
    key: str = ""
    server_credential: str = ""
    demo: dict[str, Any] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def protocol(self) -> str:
        """The address of the published snippet."""
        return f"{self.mcp}/rest/s1/mcp/protocol"

    @property
    def owner(self) -> dict[str, str]:
        """The sign-in that GrowERP's scripts use."""
        return self.demo["users"][0]

    def manage(self, *arguments: str) -> str:
        """The output of `manage.py` in this stack's environment."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fresh_key(self) -> str:
        """One more key of the demo company's owner."""
        return json.loads(self.manage("demo", "--json"))["key"]

    def start_python(self, code: str) -> subprocess.Popen[str]:
        """A process that runs `code` with the portal's settings: what another process of the portal would do."""
        command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", code]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def log(self, name: str) -> str:
        """What the process `name` has written."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def start(self, name: str, health: str, command: list[str], **environment: str) -> None:
        """Start a process and wait until its health page answers."""
        with (self.folder / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=self.environment | environment, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.processes[name].poll() is None, f"{name} ended at once:\n{self.log(name)}"
            try:
                if httpx.get(health, timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"{name} did not start:\n{self.log(name)}")

    def start_portal(self) -> None:
        """Start the web process."""
        port = self.environment["PORT"]
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", port]
        command += ["--workers", "1", "--blocking-threads", "1", "--no-ws", "--http", "1"]
        command += ["--http1-header-read-timeout", "10000", "portal.wsgi:application"]
        self.start("web", f"{self.portal}/healthz/live", command)

    def start_mcp(self) -> None:
        """Start the MCP server."""
        self.start(
            "mcp",
            f"{self.mcp}/health",
            [sys.executable, "-m", "keys.mcp"],
            LATCHKEY_SERVER_CREDENTIAL=self.server_credential,
        )

    def stop(self, name: str) -> int:
        """Ask the process `name` to end; its exit code."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            return process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running processes. Tests that stop one of them start it again."""
    folder = tmp_path_factory.mktemp("stack")
    port, mcp_port = free_port(), free_port()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LATCHKEY_", "DJANGO_", "MCP_", "COV_", "PYTEST_"))
        and name not in {"PORT", "DATABASE_URL", "REDIS_URL"}
    }
    environment = kept | {
        "LATCHKEY_DATA": str(folder / "data"),
        "PORT": str(port),
        "MCP_PORT": str(mcp_port),
        "LATCHKEY_URL": f"http://localhost:{port}",
        "LATCHKEY_MCP_URL": f"http://localhost:{mcp_port}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "keys/verifier")]),
        "PYTHONUNBUFFERED": "1",
    }
    environment |= own_services("stack", folder / "data", tmp_path_factory)
    found = Stack(folder, environment["LATCHKEY_URL"], environment["LATCHKEY_MCP_URL"], environment)
    found.demo = json.loads(found.manage("demo", "--json"))
    found.key, found.server_credential = found.demo["key"], found.demo["server_credential"]
    try:
        found.start_portal()
        found.start_mcp()
        yield found
    finally:
        for name in list(found.processes):
            found.stop(name)


@pytest.fixture(scope="session")
def node_tools() -> dict[str, str]:
    """An environment in which clients from npm can be run; skips, with the reason, where there is none."""
    folder = os.environ.get("LATCHKEY_NODE_TOOLS", "")
    paths = [str(Path(part) / "node_modules/.bin") for part in folder.split(os.pathsep) if part]
    environment = os.environ | {"PATH": os.pathsep.join([*paths, os.environ["PATH"]])}
    node = shutil.which("node", path=environment["PATH"])
    if node is None:
        pytest.skip("Node is not there; install it, or name a folder with it in LATCHKEY_NODE_TOOLS")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < 22:
        pytest.skip(
            f"the clients need Node 22, here is {version}; LATCHKEY_NODE_TOOLS may name a folder with a newer one"
        )
    return environment


def program(name: str, environment: dict[str, str]) -> str:
    """The path of a program from npm; skips, with the reason, where it is not."""
    path = shutil.which(name, path=environment["PATH"])
    if path is None:
        pytest.skip(f"{name} is not on PATH, nor in LATCHKEY_NODE_TOOLS")
    return path
