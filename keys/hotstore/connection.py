"""A bare connection to Redis for each thread, one send and one receive: redis-py costs more than the whole request."""

from __future__ import annotations

import itertools
import os
import secrets
import socket
import ssl
import threading
import time
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis
from django.conf import settings
from django.db import connection as database

from keys.hotstore.scripts import SCRIPTS
from portal import metrics

TIMEOUT_SECONDS = 0.1
AWAY_SECONDS = 1.0


class RedisAway(Exception):
    """Redis does not answer in time, or not as it should."""


class Connection:
    """One connection. Raises RedisAway, and is then of no use any more."""

    def __init__(self, url: str, timeout: float) -> None:
        self.process = os.getpid()
        self._reader = hiredis.Reader()
        self._nonce = secrets.token_hex(8)
        self._numbers = itertools.count()
        parts = urlsplit(url)
        try:
            self._socket = _connect(url, timeout)
            replies = self.send(*_greetings(url), ("INFO", "server"), *(("SCRIPT", "LOAD", text) for text in SCRIPTS))
        except (OSError, ValueError) as error:
            raise RedisAway(f"{parts.hostname}: {error}") from error
        information: bytes = replies[-len(SCRIPTS) - 1]
        run = next((line[7:] for line in information.split(b"\r\n") if line.startswith(b"run_id:")), b"")
        if not run:
            self.close()
            raise RedisAway("Redis does not tell its run_id.")
        # What another run of Redis kept is never believed: it may have missed what was to be forgotten meanwhile.
        self.prefix = b"latchkey:" + run[:16] + b":"

    def send(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The answers to `commands`, sent together: one round trip."""
        try:
            self._socket.sendall(b"".join([hiredis.pack_command(command) for command in commands]))
            replies: list[Any] = []
            while len(replies) < len(commands):
                reply = self._reader.gets()
                if reply is not False:
                    replies.append(reply)
                    continue
                received = self._socket.recv(65536)
                if not received:
                    raise RedisAway("Redis closed the connection.")
                self._reader.feed(received)
        except (OSError, hiredis.HiredisError) as error:
            self.close()
            raise RedisAway(str(error)) from error
        except RedisAway:
            self.close()
            raise
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):  # LOADING, NOSCRIPT, READONLY, NOAUTH…: begin anew
                self.close()
                raise RedisAway(str(reply))
        return replies

    def unique(self) -> str:
        """A text that no other connection gives, nor this one again."""
        return f"{self._nonce}{next(self._numbers)}"

    def close(self) -> None:
        """End it."""
        self._socket.close()


def _connect(url: str, timeout: float) -> socket.socket:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(timeout)
        made.connect(unquote(parts.path))
        return made
    made = socket.create_connection((parts.hostname or "localhost", parts.port or 6379), timeout)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if parts.scheme == "rediss":
        made = ssl.create_default_context().wrap_socket(made, server_hostname=parts.hostname)
    return made


def _greetings(url: str) -> list[tuple[str, ...]]:
    parts = urlsplit(url)
    commands: list[tuple[str, ...]] = []
    if parts.password:
        user = (unquote(parts.username),) if parts.username else ()
        commands.append(("AUTH", *user, unquote(parts.password)))
    place = parse_qs(parts.query).get("db", [parts.path.strip("/") if parts.scheme != "unix" else ""])[0]
    if place not in {"", "0"}:
        commands.append(("SELECT", place))
    return commands


_own = threading.local()
_away_until = 0.0


def connection() -> Connection | None:
    """This thread's connection, or None while Redis is away: after a failure nobody tries for a second."""
    if time.monotonic() < _away_until:
        return None
    made: Connection | None = getattr(_own, "connection", None)
    if made is not None and made.process == os.getpid():
        return made
    try:
        _own.connection = made = Connection(settings.REDIS_URL, TIMEOUT_SECONDS)
    except RedisAway:
        failed()
        return None
    return made


def usable() -> Connection | None:
    """The connection to use now: none without Redis, while it is away, and within a transaction."""
    if not settings.REDIS_URL or database.in_atomic_block:
        return None
    return connection()


def failed() -> None:
    """Leave Redis alone for a moment, so that not every request waits for it; this thread connects anew then."""
    global _away_until
    _away_until = time.monotonic() + AWAY_SECONDS
    _own.connection = None
    metrics.add("latchkey_hotstore_failures_total")


def forget_connections() -> None:
    """Begin anew, as a process that was just started (tests)."""
    global _away_until
    _away_until = 0.0
    _own.connection = None
