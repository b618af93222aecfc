"""A small HTTP server that plays the portal: the other side of the verifier."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from latchkey.tokens import ALPHABET, checksum


def new_token(kind="test"):
    pick = "".join(secrets.choice(ALPHABET) for _ in range(44))
    body = f"lk_{kind}_{pick[:12]}_{pick[12:]}"
    return body + checksum(body)


class FakePortal:
    """Holds keys, a feed and what was asked; `broken` (method, path) -> (status, headers, body) overrides answers."""

    def __init__(self):
        self.credential = new_token("srv")
        self.keys = {}
        self.events = []
        self.asked = []
        self.reports = {}
        self.broken = {}
        self.cache_seconds = 30
        self.before_answer = lambda path: None
        self.lock = threading.Lock()
        self.gone = False
        portal = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                self.serve("GET", b"")

            def do_POST(self):
                self.serve("POST", self.rfile.read(int(self.headers.get("Content-Length", 0))))

            do_PATCH = do_POST  # noqa: N815 - what http.server looks for

            def serve(self, method, body):
                path, _, query = self.path.partition("?")
                status, headers, data = portal.answer(method, path, query, body, self.headers)
                if status is None:
                    self.close_connection = True
                    return
                content = b"" if data is None else json.dumps(data).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 304:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def stop(self):
        """Gone: no new connections, and those that are open get no answer."""
        if self.gone:
            return
        self.gone = True
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def make_key(self, *, scopes=("tools:*",), remaining=None, company="acme", expires_in=None):
        key = new_token()
        self.keys[key] = {"scopes": list(scopes), "company": company, "remaining": remaining, "expires_in": expires_in,
                          "revoked": False}  # fmt: skip
        return key

    def revoke(self, key):
        with self.lock:
            self.keys[key]["revoked"] = True
            self.events.append({"key_id": key[8:20]})

    def tell(self, event):
        with self.lock:
            self.events.append(event)

    def count(self, path):
        return sum(1 for asked, _data in self.asked if asked == path)

    def verdict(self, question):
        record = self.keys.get(question["key"])
        refused = {"valid": False, "request_id": "r"}
        if record is None:
            return {**refused, "code": "NOT_FOUND", "message": "This key is not known here."}
        if record["revoked"]:
            return {**refused, "code": "REVOKED", "message": "This key was revoked; create a new one in the portal."}
        tool = question.get("tool")
        if tool is not None and not {"tools:*", f"tool:{tool}"} & set(record["scopes"]):
            message = "The key does not have the scope for this tool."
            return {**refused, "code": "INSUFFICIENT_SCOPE", "message": message, "required_scope": f"tool:{tool}"}
        limit = None
        if record["remaining"] is not None:
            if record["remaining"] == 0:
                return {**refused, "code": "RATE_LIMITED", "message": "Too many requests.", "retry_after": 7}
            record["remaining"] -= 1
            limit = {"limit": 100, "remaining": record["remaining"], "reset_at": "2030-01-01T00:00:00+00:00"}
        expires = None
        if record["expires_in"] is not None:
            expires = (datetime.now(UTC) + timedelta(seconds=record["expires_in"])).isoformat()
        return {
            "valid": True, "code": "VALID", "key_id": question["key"][8:20], "key_name": "test",
            "company": {"id": record["company"], "name": "Acme", "slug": "acme"},
            "user": {"id": "u1", "name": "Ann", "email": "ann@example.com"},
            "server": {"id": "s1", "name": "growerp-system"}, "scopes": record["scopes"], "expires_at": expires,
            "rate_limit": limit, "cache_seconds": self.cache_seconds, "request_id": "r",
        }  # fmt: skip

    def answer(self, method, path, query, body, headers):
        if self.gone:
            return None, {}, None
        data = json.loads(body) if body else query
        with self.lock:
            self.asked.append((path, data))
        if (broken := self.broken.get(path)) is not None:
            return broken() if callable(broken) else broken
        if headers.get("Authorization") != f"Bearer {self.credential}":
            return 401, {}, {"type": "/problems/not-authenticated", "status": 401}
        if path == "/api/v1/keys/verify":
            verdict = self.verdict(data)
            self.before_answer(path)
            return 200, {}, verdict
        if path == "/api/v1/revocations":
            with self.lock:
                cursor = len(self.events)
                etag = f'"{cursor}"'
                if headers.get("If-None-Match") == etag:
                    return 304, {"ETag": etag}, None
                after = query.removeprefix("after=") if query else str(cursor)
                events = self.events[int(after) :]
            return 200, {"ETag": etag}, {"cursor": str(cursor), "events": events, "poll_seconds": 0.5}
        if path == "/api/v1/usage":
            self.reports.setdefault(data["id"], data["items"])
            return 202, {}, None
        return 404, {}, {}

    def counted(self, key):
        """Calls of `key` that were reported, each report once."""
        return sum(i["count"] for items in self.reports.values() for i in items if i["key_id"] == key[8:20])


DATABASE_AWAY = (
    503, {"Retry-After": "2"}, {"type": "https://portal.example/problems/database-unavailable", "status": 503},
)  # fmt: skip
