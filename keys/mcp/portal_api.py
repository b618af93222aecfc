"""The portal, as this process knows it: its HTTP API, called with the server credential or the caller's own key."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import httpx
from latchkey.context import request_headers

from keys.mcp import VERSION

logger = logging.getLogger(__name__)

TIMEOUT: Final = httpx.Timeout(5.0, connect=2.0)
# Hashing a password is meant to be slow, and a sign-in given up halfway may still have replaced the person's key.
LOGIN_TIMEOUT: Final = httpx.Timeout(20.0, connect=2.0)
HEALTH_SECONDS: Final = (
    2.0  # how long one health answer is used again: the health page cannot be made to flood the portal
)


class PortalRefusal(Exception):
    """The portal said no, or nothing. `message` is fit for the caller's eyes; `kind` ends the problem's `type`."""

    def __init__(self, status: int, message: str, kind: str = "", retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.retry_after = status, message, kind, retry_after


class PortalAPI:
    """A pooled client of the portal's API. One for the process; `aclose` it at the end."""

    def __init__(self, portal_url: str, credential: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._credential = credential
        self._client = httpx.AsyncClient(
            base_url=portal_url,
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,  # credentials go to the portal itself, never through a proxy that the environment names
            headers={"User-Agent": f"latchkey-mcp/{VERSION}", "Accept": "application/json"},
        )
        self._healthy_until = self._asked_at = float("-inf")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def data(self, path: str, key: str, **query: str | int) -> dict[str, Any]:
        """`GET /api/v1/data/<path>` with the caller's own key: the portal bounds the answer. Raises PortalRefusal."""
        params = {name: value for name, value in query.items() if value != ""}
        return await self._ask("GET", f"/api/v1/data/{path}", headers={"Authorization": f"Bearer {key}"}, params=params)

    async def login(
        self, *, username: str, password: str, client: str, classification: str, client_ip: str | None
    ) -> dict[str, Any]:
        """A named key for a person's username and password (`POST /api/v1/login`). Raises PortalRefusal."""
        body = {"username": username, "password": password, "client": client, "classificationId": classification}
        headers = {"Authorization": f"Bearer {self._credential}"}
        if client_ip:  # the portal limits attempts by the person's address, not by this server's
            headers["X-Client-Address"] = client_ip
        try:
            return await self._ask("POST", "/api/v1/login", headers=headers, json=body, timeout=LOGIN_TIMEOUT)
        except PortalRefusal as refusal:
            if refusal.status == 401 or (refusal.status == 403 and refusal.kind in {"about:blank", "forbidden"}):
                logger.error("The portal does not accept this server's credential for signing people in.")
                raise PortalRefusal(503, "Signing in is not possible at the moment.", retry_after=60) from refusal
            # There 401 speaks of this server's credential; here it is the person who is turned away.
            if refusal.kind == "login-failed":
                refusal.status = 401
            elif refusal.status in {409, 422}:
                refusal.status = 403
            raise

    async def is_reachable(self) -> bool:
        """Whether the portal answers its health page; an answer is used again for two seconds."""
        now = time.monotonic()
        if now - self._asked_at > HEALTH_SECONDS:
            self._asked_at = now
            try:
                answer = await self._client.get("/healthz/", timeout=2.0)
                self._healthy_until = now + HEALTH_SECONDS if answer.status_code == 200 else float("-inf")
            except httpx.HTTPError:
                self._healthy_until = float("-inf")
        return now <= self._healthy_until

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        options["headers"] = {**options.get("headers", {}), **request_headers()}
        try:
            answer = await self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise PortalRefusal(503, "The portal cannot be reached; try again shortly.", retry_after=5) from error
        content = _content(answer)
        if answer.status_code == 200 and content is not None:
            return content
        if answer.status_code >= 500 or content is None:
            wait = _seconds(answer.headers.get("Retry-After")) or 5
            raise PortalRefusal(503, "The portal cannot answer at the moment; try again shortly.", retry_after=wait)
        detail = content.get("detail") or content.get("title") or "The portal refused this request."
        raise PortalRefusal(
            answer.status_code,
            str(detail),
            str(content.get("type", "")).rpartition("/")[2],
            _seconds(answer.headers.get("Retry-After")),
        )


def _content(answer: httpx.Response) -> dict[str, Any] | None:
    """The JSON object that the portal sent; None if it sent anything else."""
    try:
        content = answer.json()
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _seconds(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
