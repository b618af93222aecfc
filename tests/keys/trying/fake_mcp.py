"""An MCP server of a few lines, for tests: JSON or event stream, with sessions or without, refusing as told."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RESULTS: dict[str, Any] = {
    "initialize": {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "Fake", "version": "1"}},
    "tools/list": {"tools": [{"name": "whoami"}, {"name": "delete_all"}]},
    "tools/call": {"content": [{"type": "text", "text": "you are welcome"}]},
}


class FakeMcp:
    """`refuse`: method → (status, body); `open_to`: methods that need no key; `documents`: path → JSON at GET."""

    def __init__(
        self, *, refuse: dict[str, tuple[int, Any]] | None = None, open_to: tuple[str, ...] = (), stream: bool = False,
        session: str = "", documents: dict[str, Any] | None = None, challenge: str = "Bearer", delay: float = 0.0,
        only: str = "", redirect: str = "",
    ) -> None:  # fmt: skip
        self.refuse, self.open_to, self.stream, self.session = refuse or {}, open_to, stream, session
        self.documents, self.challenge, self.delay, self.only = documents or {}, challenge, delay, only
        self.redirect = redirect
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                fake.asked.append((f"GET {self.path}", _lower(self.headers), None))
                found = fake.documents.get(self.path)
                fake.say(self, 200 if found else 404, found or {"detail": "Not found."})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                fake.asked.append((body["method"], _lower(self.headers), body))
                fake.answer(self, body)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    @property
    def methods(self) -> list[str]:
        return [name for name, _headers, _body in self.asked]

    def answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        time.sleep(self.delay)
        method, key = body["method"], handler.headers.get("X-API-Key", "")
        if self.redirect:
            return self.say(handler, 307, {}, {"Location": self.redirect})
        if method in self.refuse:
            return self.say(handler, *self.refuse[method])
        if method not in self.open_to and (not key or (self.only and key != self.only)):
            return self.say(handler, 401, {"detail": "No key."}, {"WWW-Authenticate": self.challenge})
        if method.startswith("notifications/"):
            return self.say(handler, 202, None)
        if self.session and method != "initialize" and handler.headers.get("Mcp-Session-Id") != self.session:
            return self.say(handler, 400, {"detail": "No session."})
        more = {"Mcp-Session-Id": self.session} if self.session else {}
        return self.say(handler, 200, {"jsonrpc": "2.0", "id": body["id"], "result": RESULTS[method]}, more)

    def say(self, handler: Any, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        streamed = self.stream and status == 200
        if streamed:
            text = b": hello\n\nevent: message\ndata: " + text + b"\n\n"
        handler.send_response(status)
        handler.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        if streamed:  # left open: a client has to know by itself when it has its answer
            handler.end_headers()
            handler.wfile.write(text)
            handler.wfile.flush()
            time.sleep(3)
            return
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
