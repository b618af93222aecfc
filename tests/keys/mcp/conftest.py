"""The MCP server over real HTTP, in front of a small portal whose answers the tests choose."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import uvicorn

from keys.mcp.app import create_app
from keys.mcp.config import Config
from keys.tokens import Kind, generate

CREDENTIAL = generate(Kind.SERVER).text
COMPANY = {"id": "companyAcme1", "name": "Acme", "slug": "acme"}
USER = {"id": "userOlivia01", "name": "Olivia", "email": "olivia@example.com"}


@dataclass
class Portal:
    """What the portal answers, and what it was asked."""

    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def key(self, **verdict: Any) -> str:
        """A new key about which the portal says `verdict`; by default that it is good for everything."""
        token = generate(Kind.TEST)
        good = {
            "valid": True,
            "code": "VALID",
            "key_id": token.id,
            "key_name": "Test",
            "company": COMPANY,
            "user": USER,
            "scopes": ["tools:*"],
            "expires_at": None,
            "rate_limit": None,
            "cache_seconds": 0,
        }
        self.verdicts[token.text] = (verdict if verdict.get("valid") is False else good | verdict) | {"request_id": "r"}
        return token.text

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What was sent to `path`."""
        return [body for asked, body, _headers in self.asked if asked == path]

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """The answer to one request."""
        if path in self.answers:
            return self.answers[path]
        if path == "/api/v1/keys/verify":
            unknown = {"valid": False, "code": "NOT_FOUND", "message": "This key is not known here.", "request_id": "r"}
            return 200, self.verdicts.get(body["key"], unknown)
        if path == "/api/v1/revocations":
            return 200, {"cursor": "1", "events": [], "poll_seconds": 0.5}
        return (200, {"status": "ok"}) if path == "/healthz/" else (404, {"detail": "There is no such thing here."})


@pytest.fixture
def portal() -> Iterator[Portal]:
    """A portal that knows no key yet."""
    found = Portal()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            path = self.path.partition("?")[0]
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            found.asked.append((path, body, dict(self.headers)))
            status, answer = found.answer(path, body)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status in {429, 503}:
                self.send_header("Retry-After", "7")
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def config(portal: Portal) -> Config:
    """A development configuration for a public host name."""
    return Config(
        portal_url=portal.url,
        public_url="http://mcp.example.com",
        server_credential=CREDENTIAL,
        hosts=frozenset({"other.example.com"}),
    )


@pytest.fixture
def http(config: Config) -> Iterator[httpx.Client]:
    """An HTTP client of the server under test."""
    with served(config) as client:
        yield client


@contextmanager
def served(config: Config) -> Iterator[httpx.Client]:
    """A server with `config`, and an HTTP client of it."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(config), host="127.0.0.1", port=0, log_config=None, access_log=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield client
    server.should_exit = True
    thread.join(20)
