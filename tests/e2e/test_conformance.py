"""The MCP conformance suite from npm against the real `/mcp`, where Node 22 and the suite are there."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.conftest import Stack, program

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("stack")]
BASELINES = Path(__file__).with_name("conformance")
HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "content-encoding", "keep-alive"}


@pytest.fixture
def with_key(stack: Stack) -> Iterator[str]:
    """The address of a proxy that adds a key: the suite cannot send one.

    `Host` is rewritten for localhost alone, so that the suite's test of a rebound name reaches the server as it is.
    """
    own = urlsplit(stack.mcp).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            if headers.get("Host", headers.get("host", "")).startswith("localhost"):
                headers = {name: value for name, value in headers.items() if name.lower() != "host"} | {"Host": own}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = httpx.request(
                self.command,
                stack.mcp + self.path,
                headers=headers | {"X-API-Key": stack.key},
                content=body,
                timeout=20,
            )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def do_GET(self) -> None:
            self.pass_on()

        def do_POST(self) -> None:
            self.pass_on()

        def do_DELETE(self) -> None:
            self.pass_on()

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://localhost:{server.server_port}/mcp"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_what_the_revision_requires_holds(with_key: str, node_tools: dict[str, str], revision: str, tmp_path: Path):
    """All but what needs the suite's own fixture tools; the files in conformance/ say which, and why."""
    command = [program("conformance", node_tools), "server", "--url", with_key, "--requirements", revision]
    command += ["--expected-failures", str(BASELINES / f"{revision}.yml"), "-o", str(tmp_path)]
    done = subprocess.run(command, env=node_tools, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-4000:]
