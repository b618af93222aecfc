"""The MCP conformance suite from npm against the real `/mcp` and the authorization server, where Node 22 has it."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.conftest import Stack, free_port, program
from tests.e2e.person import Person

pytestmark = pytest.mark.processes
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
            # White space around a value is not part of it (RFC 9110, 5.5); httpx would refuse to send it.
            kept = [(name, value.strip()) for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP]
            headers = dict(kept)
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
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]


def test_the_authorization_server_passes_every_scenario(stack: Stack, node_tools: dict[str, str], tmp_path: Path):
    """The suite prints the address that a person has to open, and waits at a loopback address for the answer."""
    port = free_port()
    metadata = {
        "client_name": "Conformance suite",
        "redirect_uris": [f"http://127.0.0.1:{port}/callback"],
        "token_endpoint_auth_method": "none",
    }
    client_id = httpx.post(f"{stack.portal}/oauth/register", json=metadata).json()["client_id"]
    command = [program("conformance", node_tools), "authorization", "--url", stack.portal, "--client-id", client_id]
    command += ["--resource", f"{stack.mcp}/mcp", "-p", str(port), "-o", str(tmp_path), "--verbose"]
    with subprocess.Popen(
        command, env=node_tools, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        said = []
        for line in process.stdout:
            said.append(line)
            print(line, end="")
            if found := re.search(rf"{re.escape(stack.portal)}/oauth/authorize\?\S+", line):
                httpx.get(Person(stack).says_yes(found[0]), timeout=20)
        code = process.wait(60)
    assert code == 0, "".join(said)[-4000:]
    assert "authorization-code-grant" in "".join(said)
