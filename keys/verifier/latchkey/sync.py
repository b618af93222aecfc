"""The verifier for threads: Django, DRF, Flask, a script."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from types import TracebackType
from typing import Any

import httpx

from latchkey import portal, verdicts
from latchkey.context import request_headers
from latchkey.core import Core, sha256
from latchkey.store import Name
from latchkey.verdicts import Verdict, refusal


class Verifier(Core):
    """Says whether a key is good. One for a process, shared by all its threads; close it at the end."""

    def __init__(self, portal_url: str, credential: str, **options: Any) -> None:
        super().__init__(portal_url, credential, **options)
        itself = weakref.WeakMethod(self.close)
        atexit.register(lambda: (close := itself()) and close())
        child = weakref.WeakMethod(self._reset)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: (reset := child()) and reset())

    def verify(
        self, key: str | None, tool: str | None = None, client_ip: str | None = None, client: str | None = None
    ) -> Verdict:
        """Whether `key` may call `tool` (None: is good at all) from `client_ip`. Never raises for a bad key.

        `client` is the AI client's name, for the usage pages. If nobody can say, the code is UNAVAILABLE: refuse.
        """
        if key:
            name = (sha256(key.encode("utf-8", "surrogatepass")).digest(), tool, client_ip, client)
            verdict = self._get(name)
            if verdict is not None:
                return verdict
            return self._ask(key, name)
        return refusal(verdicts.MISSING)

    def close(self) -> None:
        """Report what was counted and close the connections. May be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._stop.set()
        for thread in self._threads:
            thread.join(self._max_stale + 1)
        self._report()
        self._client.close()

    def __enter__(self) -> Verifier:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _reset(self) -> None:
        super()._reset()
        # Connections and threads of a parent process are not ours to use or close.
        self._client = httpx.Client(**self._options)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def _ask(self, key: str, name: Name) -> Verdict:
        if (verdict := self._known_without_asking(key)) is not None:
            return verdict
        question = self._question(name)
        body = portal.question_body(key, question)
        for attempt in range(self._attempts):
            if attempt:
                time.sleep(portal.pause(attempt))
            stamp, started = self._store.stamp(), self._clock()
            try:
                response = self._client.post(portal.VERIFY, json=body, headers=request_headers())
            except portal.RETRIED_ERRORS:
                continue
            except httpx.HTTPError:
                break
            if attempt + 1 < self._attempts and portal.may_retry(response):
                continue
            return self._took(response, name, question, started, stamp)
        self._breaker.failed()
        return refusal(verdicts.UNAVAILABLE, retry_after=1)

    def _start_feed(self) -> None:
        if self._threads:
            return
        with self._lock:
            if self._threads or self._closed:
                return
            self._threads = [
                threading.Thread(target=self._keep_polling, name="latchkey-feed", daemon=True),
                threading.Thread(target=self._keep_reporting, name="latchkey-usage", daemon=True),
            ]
        for thread in self._threads:
            thread.start()

    def _keep_polling(self) -> None:
        while not self._stop.is_set():
            started = self._clock()
            self._poll(started)
            self._stop.wait(max(0.0, started + self._poll_seconds - self._clock()))

    def _poll(self, started: float) -> None:
        try:
            # An answer later than max_stale would be of no use.
            response = self._client.get(portal.REVOCATIONS, timeout=self._max_stale, **self._feed.request())
        except httpx.HTTPError:
            return
        self._feed.take(response, started)

    def _keep_reporting(self) -> None:
        while not self._stop.wait(self._report_seconds):
            self._report()

    def _report(self) -> None:
        self._reports.gather()
        while (report := self._reports.next()) is not None:
            try:
                response = self._client.post(portal.USAGE, json=report)
            except httpx.HTTPError:
                return
            if not self._reports.take(response):
                return
