"""Asking for a page: in this process, or of a web process as in production."""

from __future__ import annotations

import http.client
import time
from typing import Any, Protocol
from urllib.parse import quote

from bench.servers import Server


class Asker(Protocol):
    """Somebody who is signed in and asks for pages."""

    def ask(self, path: str) -> tuple[int, float]:
        """The status of the answer to `path`, or to `POST path words`, and how long it took in milliseconds."""

    def cpu(self) -> float:
        """Processor time that answers took so far, in milliseconds."""


class Here:
    """In this process, by Django's test client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ask(self, path: str) -> tuple[int, float]:
        """Ask, and read the answer to its end."""
        began = time.perf_counter()
        if path.startswith("POST "):
            _method, address, words = path.split(" ", 2)
            response = self._client.post(address, {"key": words})
        else:
            response = self._client.get(path)
        b"".join(response.streaming_content) if response.streaming else response.content
        return response.status_code, (time.perf_counter() - began) * 1000

    def cpu(self) -> float:
        """This process's."""
        return time.process_time() * 1000


class Served:
    """Over HTTP, of `server`, with the session of the test client `client`. Forms are sent in this process."""

    def __init__(self, client: Any, server: Server) -> None:
        self._server, self._here = server, Here(client)
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port)
        cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in client.cookies.items())
        self._headers = {"Cookie": cookies, "User-Agent": "bench.pages", "Accept-Encoding": "gzip"}

    def ask(self, path: str) -> tuple[int, float]:
        """Ask, and read the answer to its end."""
        if path.startswith("POST "):
            return self._here.ask(path)
        began = time.perf_counter()
        self._connection.request("GET", quote(path, safe="/?&=:%"), headers=self._headers)
        response = self._connection.getresponse()
        response.read()
        return response.status, (time.perf_counter() - began) * 1000

    def cpu(self) -> float:
        """The server's, to ten milliseconds."""
        return self._server.cpu_seconds() * 1000
