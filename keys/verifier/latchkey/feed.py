"""The client's side of the revocation feed and of usage reports. No I/O: the verifiers send what these ask for."""

from __future__ import annotations

import collections
import logging
from typing import Any, Final

from latchkey import portal
from latchkey.store import VerdictStore

logger = logging.getLogger("latchkey")
_MOST_REPORTS: Final = 64


class Feed:
    """Where this verifier stands in the feed; turns the portal's answers into what the store forgets and trusts."""

    def __init__(self, store: VerdictStore) -> None:
        self._store = store
        self._cursor: str | None = None
        self._etag = ""
        self._said = ""

    def request(self) -> dict[str, Any]:
        """Arguments of the next GET."""
        if self._cursor is None:
            return {}
        headers = {"If-None-Match": self._etag} if self._etag else {}
        return {"params": {"after": self._cursor}, "headers": headers}

    def take(self, response: portal.Response, started: float) -> bool:
        """Act on the answer to a poll that started at `started`. Returns whether the store may be trusted for it."""
        if response.status_code == 304 and self._cursor is not None:
            self._store.trust(started)
            return True
        if portal.is_database_away(response):
            self._store.prolong(started)
            return True
        if response.status_code != 200:
            self._say(f"The revocation feed answers {response.status_code}; remembered verdicts are not used.")
            return False
        try:
            data = response.json()
            cursor, events = data["cursor"], data["events"]
            if not isinstance(cursor, str) or not isinstance(events, list):
                raise TypeError
            if not all(isinstance(event, dict) for event in events):
                raise TypeError
        except (ValueError, TypeError, KeyError):
            self._say("The revocation feed's answer was not understood; remembered verdicts are not used.")
            return False
        # First forget, then move on and trust: in any other order there would be a moment in which what was revoked
        # is still trusted.
        self._store.forget(events)
        self._cursor, self._etag = cursor, response.headers.get("ETag", "")
        self._store.trust(started)
        self._said = ""
        return True

    def _say(self, text: str) -> None:
        # Once for each change: two polls a second would fill a log.
        if text != self._said:
            self._said = text
            logger.warning(text)


class Reports:
    """Usage reports that are still to be sent. One that got no answer is sent again under the same id."""

    def __init__(self, store: VerdictStore) -> None:
        self._store = store
        self._waiting: collections.deque[dict[str, Any]] = collections.deque(maxlen=_MOST_REPORTS)

    def gather(self) -> None:
        """Take what was counted since the last time."""
        items = self._store.collect()
        for start in range(0, len(items), portal.MOST_ITEMS):
            self._waiting.append(portal.usage_report(items[start : start + portal.MOST_ITEMS]))

    def next(self) -> dict[str, Any] | None:
        """The oldest report that waits."""
        return self._waiting[0] if self._waiting else None

    def take(self, response: portal.Response) -> bool:
        """Act on the answer to `next`. Returns whether to go on with the one after it."""
        refused = response.status_code in {400, 413, 415, 422}
        if not (200 <= response.status_code < 300 or refused):
            return False
        if refused:
            logger.error("The portal refused a usage report (%s); its calls are not counted.", response.status_code)
        self._store.reported(self._waiting.popleft()["items"])
        return True
