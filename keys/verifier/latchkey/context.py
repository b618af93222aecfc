"""The verdict on the request that is being served, for tools and handlers further in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from latchkey.verdicts import Verdict

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
