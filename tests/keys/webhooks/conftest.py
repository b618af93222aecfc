"""A real receiver on the loopback interface, and endpoints that point to it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook

from keys.webhooks import endpoints
from keys.webhooks.models import Endpoint
from portal.audit.actors import SYSTEM

Respond = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> Any:
        """The payload, as the receiver's own library accepts it."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """Answers as its `status`, `headers` and `body` say, or as `respond` does, and keeps what it got."""

    port: int = 0
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    respond: Respond | None = None
    got: list[Received] = field(default_factory=list)
    server_names: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


def _serve(receiver: Receiver, context: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.got.append(Received(self.path, dict(self.headers), body))
            if receiver.respond is not None:
                receiver.respond(self)
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver over plain HTTP."""
    receiver = Receiver()
    server = _serve(receiver)
    yield receiver
    server.shutdown()
    server.server_close()


@pytest.fixture
def tls_receiver(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver over TLS with a certificate, trusted here, for hooks.example.com alone."""
    from keys.webhooks import outgoing
    from tests.keys.webhooks.certificates import write_certificate

    certificate, key = write_certificate(tmp_path, "hooks.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver = Receiver()
    context.sni_callback = lambda _socket, name, _context: receiver.server_names.append(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    outgoing._ssl_context.cache_clear()
    server = _serve(receiver, context)
    yield receiver
    server.shutdown()
    server.server_close()
    outgoing._ssl_context.cache_clear()


@dataclass
class Internet:
    """Names with addresses of our choice. What connects to any of them reaches the receiver; both are noted."""

    receiver: Receiver
    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)


@pytest.fixture
def internet(tls_receiver: Receiver, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Internet:
    """A production installation before an internet of ours. Each look-up takes the next answer; the last one stays."""
    settings.PRODUCTION = True
    found = Internet(tls_receiver)
    really_connect = socket.create_connection

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        found.asked.append(host)
        answers = found.answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    def connect(address: tuple[str, int], timeout: float | None = None, **_: Any) -> socket.socket:
        found.connected.append(address[0])
        return really_connect(("127.0.0.1", tls_receiver.port), timeout)

    really_look_up = socket.getaddrinfo

    def dispatch(host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
        if host == "127.0.0.1":
            return really_look_up(host, port, *args, **options)
        return look_up(host, port)

    monkeypatch.setattr(socket, "getaddrinfo", dispatch)
    monkeypatch.setattr(socket, "create_connection", connect)
    return found


@pytest.fixture
def made_endpoint(company: Any, receiver: Receiver) -> tuple[Endpoint, str]:
    """An endpoint of `company` at `receiver` for every event, and its secret."""
    return endpoints.create_endpoint(url=receiver.url, company=company, actor=SYSTEM)


@pytest.fixture
def endpoint(made_endpoint: tuple[Endpoint, str]) -> Endpoint:
    """An endpoint of `company` at `receiver` for every event."""
    return made_endpoint[0]


@pytest.fixture
def secret(made_endpoint: tuple[Endpoint, str]) -> str:
    """The signing secret of `endpoint`."""
    return made_endpoint[1]
