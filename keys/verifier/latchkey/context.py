"""The verdict on the request that is being served, for tools and handlers further in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from latchkey.verdicts import Verdict

# The id of the request that is being served, sent along as `X-Request-Id`: the portal's log lines, audit events and
# verdicts then bear it. Set it in your own middleware; text that is no plain id is not sent.
request_id: ContextVar[str] = ContextVar("latchkey_request_id", default="")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}").fullmatch


def request_headers() -> dict[str, str]:
    """The headers that name the present request to the portal; none outside one."""
    identifier = request_id.get()
    return {"X-Request-Id": identifier} if _PLAIN_ID(identifier) else {}


@contextmanager
def named(identifier: str) -> Iterator[None]:
    """While inside, the request is called `identifier`, unless it has a name already."""
    token = request_id.set(request_id.get() or identifier)
    try:
        yield
    finally:
        request_id.reset(token)


_current: ContextVar[tuple[bytes, Verdict] | None] = ContextVar("latchkey_verdict", default=None)


def current_verdict() -> Verdict | None:
    """The verdict that let the present request in; None outside one that a Latchkey plug protects."""
    found = _current.get()
    return found[1] if found else None


@contextmanager
def serving(digest: bytes, verdict: Verdict) -> Iterator[None]:
    """While inside, `verdict`, on the key of this digest, is the current one."""
    token = _current.set((digest, verdict))
    try:
        yield
    finally:
        _current.reset(token)


def verdict_on(digest: bytes) -> Verdict | None:
    """The current verdict if it is about the key of this digest: so that no request is counted twice."""
    found = _current.get()
    return found[1] if found and found[0] == digest else None
