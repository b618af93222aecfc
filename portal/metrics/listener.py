"""A port for the worker's figures: a worker serves nothing else over HTTP."""

from __future__ import annotations

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

from django.conf import settings

from portal.metrics import exposition, views

log = logging.getLogger(__name__)


class _Handler(BaseHTTPRequestHandler):
    timeout = 5
    server_version, sys_version = "latchkey", ""

    def do_GET(self) -> None:
        """`/metrics`, if the token is right or none is set (then the port is on loopback: portal/checks.py)."""
        allowed = not settings.METRICS_TOKEN or views.is_allowed(self.headers.get("Authorization", ""))
        if self.path != "/metrics" or not allowed:
            self.send_error(404)
            return
        body = exposition.counted("worker")
        self.send_response(200)
        self.send_header("Content-Type", exposition.CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name in the base class)
        """Scrapes are worth no line."""


def listen() -> ThreadingHTTPServer | None:
    """Serve LATCHKEY_METRICS_PORT from now on, in threads; None if there is none. A taken port is no reason to stop."""
    if not settings.METRICS_PORT:
        return None
    try:
        server = ThreadingHTTPServer((settings.METRICS_HOST, settings.METRICS_PORT), _Handler)
    except OSError as error:
        log.error("metrics: port %s cannot be used: %s", settings.METRICS_PORT, error.strerror)
        return None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics-port", daemon=True).start()
    return server


def is_loopback(host: str) -> bool:
    """Whether `host` is reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
