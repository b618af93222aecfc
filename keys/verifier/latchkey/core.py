"""What the sync and the async verifier have in common: everything but sending and waiting."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from latchkey import portal, verdicts
from latchkey.breaker import Breaker
from latchkey.feed import Feed, Reports
from latchkey.store import Name, Question, VerdictStore
from latchkey.tokens import is_key, is_missing
from latchkey.verdicts import Verdict, refusal

sha256 = hashlib.sha256
# Goes on while the machine sleeps, where there is such a clock, so that nothing survives a night in memory; never
# steps, so that setting the wall clock back keeps nothing alive.
steady_clock: Final[Callable[[], float]] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)


class Core:
    """The state of a verifier. Not used alone: see Verifier and AsyncVerifier."""

    def __init__(
        self,
        portal_url: str,
        credential: str,
        *,
        timeout: float = 2.0,
        retries: int = 2,
        cache: bool = True,
        cache_size: int = 10_000,
        max_stale: float = 1.0,
        poll_seconds: float = 0.5,
        report_seconds: float = 3.0,
        clock: Callable[[], float] = steady_clock,
        transport: Any = None,
    ) -> None:
        """Make a verifier for one MCP server.

        portal_url, credential: the portal's address and this MCP server's credential (lk_srv_…).
        timeout: seconds for one attempt, in each of its phases. retries: more attempts after one that did not arrive.
        cache: whether to remember verdicts at all; cache_size: how many at most.
        max_stale: for how many seconds after the start of a successful poll of the feed they are trusted.
        poll_seconds, report_seconds: how often to poll the feed, and to report the calls answered from memory.
        clock: a clock that never steps. transport: an httpx transport instead of the usual one.

        Raises ValueError if the address or the credential cannot be one. Asks nothing yet.
        """
        if max_stale <= 0 or not 0 < poll_seconds < max_stale:
            raise ValueError("max_stale must be positive, and poll_seconds positive and below it.")
        if cache_size < 1 or retries < 0 or timeout <= 0 or report_seconds <= 0:
            raise ValueError("cache_size, timeout and report_seconds must be positive, retries not negative.")
        self._options = portal.client_options(portal_url, credential, timeout=timeout)
        if transport is not None:
            self._options["transport"] = transport
        self.portal_url = self._options["base_url"]
        self._attempts = retries + 1
        self._cache = cache
        self._cache_size = cache_size
        self._max_stale = max_stale
        self._poll_seconds = poll_seconds
        self._report_seconds = report_seconds
        self._clock = clock
        self._closed = False
        self._reset()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.portal_url}>"

    @property
    def is_trusting(self) -> bool:
        """Whether remembered verdicts are in use: the feed is alive. False before the first good key was seen."""
        return self._store.is_trusted

    @property
    def remembered(self) -> int:
        """How many verdicts are remembered."""
        return len(self._store)

    def _reset(self) -> None:
        """Forget everything: at the start, and in a child process, which must not report its parent's calls again."""
        self._lock = threading.Lock()
        self._store = VerdictStore(size=self._cache_size, max_stale=self._max_stale, clock=self._clock)
        self._get = self._store.get
        self._feed = Feed(self._store)
        self._reports = Reports(self._store)
        self._breaker = Breaker(clock=self._clock)

    def _known_without_asking(self, key: str | None) -> Verdict | None:
        if key is None or is_missing(key):
            return refusal(verdicts.MISSING)
        if not is_key(key):
            return refusal(verdicts.MALFORMED)
        if self._closed:
            raise RuntimeError("The verifier is closed.")
        if not self._breaker.allows():
            return refusal(verdicts.UNAVAILABLE, retry_after=1)
        return None

    def _took(
        self, response: portal.Response, name: Name, question: Question, started: float, stamp: int | None
    ) -> Any:
        """The verdict in `response`, remembered if it may be."""
        if portal.is_failure(response):
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        verdict, life = portal.read_verdict(response)
        if self._cache and verdict.valid and life > 0:
            self._start_feed()
            if question.tool == name[1]:
                self._store.put(name, verdict, question, until=started + life, stamp=stamp)
        if question.tool != name[1]:
            return portal.for_unnameable(verdict)
        return verdict

    def _start_feed(self) -> None:
        raise NotImplementedError

    @staticmethod
    def _question(name: Name) -> Question:
        _digest, tool, client_ip, client = name
        if tool is not None and not portal.can_be_named(tool):
            tool = None
        return Question(tool, client_ip, client)


def digest(key: str) -> bytes:
    """What stands for `key` in memory."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()
