"""The verifier for asyncio: MCP servers, FastAPI, Starlette."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

import httpx

from latchkey import portal, verdicts
from latchkey.context import request_headers
from latchkey.core import Core, sha256
from latchkey.store import Name
from latchkey.verdicts import Verdict, refusal


class AsyncVerifier(Core):
    """Says whether a key is good. One for a process; close it at the end (`async with`, or `aclose`)."""

    async def verify(
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
            return await self._ask(key, name)
        return refusal(verdicts.MISSING)

    async def aclose(self) -> None:
        """Report what was counted and close the connections. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._loop is not asyncio.get_running_loop():
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._report()
        if self._client is not None:
            await self._client.aclose()

    async def __aenter__(self) -> AsyncVerifier:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    def _reset(self) -> None:
        super()._reset()
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._sending = asyncio.Lock()

    def _connected(self) -> httpx.AsyncClient:
        """The client of the running event loop: connections and tasks of another loop cannot be used in this one."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop, self._tasks, self._sending = loop, [], asyncio.Lock()
            self._client = httpx.AsyncClient(**self._options)
        return self._client

    async def _ask(self, key: str, name: Name) -> Verdict:
        if (verdict := self._known_without_asking(key)) is not None:
            return verdict
        client = self._connected()
        question = self._question(name)
        body = portal.question_body(key, question)
        for attempt in range(self._attempts):
            if attempt:
                await asyncio.sleep(portal.pause(attempt))
            stamp, started = self._store.stamp(), self._clock()
            try:
                response = await client.post(portal.VERIFY, json=body, headers=request_headers())
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
        if not self._tasks and not self._closed:
            self._tasks = [_apart(self._keep_polling()), _apart(self._keep_reporting())]

    async def _keep_polling(self) -> None:
        while True:
            started = self._clock()
            await self._poll(started)
            await asyncio.sleep(max(0.0, started + self._poll_seconds - self._clock()))

    async def _poll(self, started: float) -> None:
        try:
            # An answer later than max_stale would be of no use.
            response = await self._connected().get(portal.REVOCATIONS, timeout=self._max_stale, **self._feed.request())
        except httpx.HTTPError:
            return
        self._feed.take(response, started)

    async def _keep_reporting(self) -> None:
        while True:
            await asyncio.sleep(self._report_seconds)
            await self._report()

    async def _report(self) -> None:
        async with self._sending:
            self._reports.gather()
            while (report := self._reports.next()) is not None:
                try:
                    response = await self._connected().post(portal.USAGE, json=report)
                except httpx.HTTPError:
                    return
                if not self._reports.take(response):
                    return


def _apart(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task that does not inherit the context (trace, current verdict) of the request that happened to start it."""
    return contextvars.Context().run(asyncio.get_running_loop().create_task, work)
