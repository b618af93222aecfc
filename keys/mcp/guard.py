"""What stands before everything else: host and origin, size of the body, no key in the address; and one log line."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from latchkey.context import request_id as request_id_sent_along
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response

from keys.mcp import logs
from keys.mcp.config import LOOPBACK, Config
from keys.mcp.metrics import Meter

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

access_log = logging.getLogger("keys.mcp.access")

DISCOVERY: Final = "/.well-known/"
BODY_SECONDS: Final = 15
REQUEST_ID: Final = "latchkey.request_id"
CLIENT_IP: Final = "latchkey.client_ip"
KEY_ID: Final = "latchkey.key_id"
_KEY_IN_URL = re.compile(r"lk_(live|test|srv|mgt|oat|ort)_|(^|[?&])(api_?key|access_token|x-api-key)=", re.IGNORECASE)
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}").fullmatch
_CORS_HEADERS = "Authorization, api_key, X-API-Key, Content-Type, MCP-Protocol-Version, Mcp-Method, Mcp-Name"


class Guard:
    """The outermost ASGI layer. Refuses what no endpoint should see, gives every request an id, and logs it.

    Browsers send `Origin`; a page of another origin, or one that rebound its name to this machine, gets 403 or 421
    (MCP, transports: "Servers MUST validate the Origin header"). Discovery documents are for everyone.
    """

    def __init__(self, app: ASGIApp, config: Config, meter: Meter) -> None:
        self._meter = meter
        self._app, self._limit, self._proxies = app, config.max_body_bytes, config.trusted_proxies
        own = {urlsplit(config.public_url).netloc.lower()}
        # A loopback name cannot be rebound: health checks of a container or a supervisor come by it, whatever the port.
        self._hosts = own | {host.lower() for host in config.hosts}
        self._origins = {config.public_url, config.portal_url} | config.origins
        self._local = urlsplit(config.public_url).hostname in {name.strip("[]") for name in LOOPBACK}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["path"] = scope["path"].rstrip("/") or "/"  # one resource, with or without a slash at its end
        started, status = time.perf_counter(), 500
        given = Headers(scope=scope).get("x-request-id", "")
        scope[REQUEST_ID] = request_id = given if _VALID_REQUEST_ID(given) else secrets.token_hex(8)
        # For the log lines of this request, and for the portal, which is asked under the same id.
        logs.request_id.set(request_id)
        request_id_sent_along.set(request_id)
        scope[CLIENT_IP] = client_address(scope, self._proxies)
        origin = Headers(scope=scope).get("origin", "")
        allowed_origin = origin if origin and self._origin_is_ours(origin) else ""

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(MutableHeaders(scope=message), scope["path"], allowed_origin, request_id)
            await send(message)

        try:
            refusal = self._refusal(scope, origin, allowed_origin)
            if refusal is not None:
                await refusal(scope, receive, answer)
                return
            body = await _read(receive, self._limit)
            if isinstance(body, Response):
                await body(scope, receive, answer)
                return
            await self._app(scope, _replay(body, receive), answer)
        finally:
            # Supervisors ask for health every few seconds: that is worth no line in the usual log.
            seconds = time.perf_counter() - started
            self._meter.request(scope, status, seconds)
            access_log.log(
                logging.DEBUG if scope["path"].endswith("/health") else logging.INFO,
                "%s %r %s %.0f ms key=%s ip=%s",
                scope["method"],
                scope["path"][:200] if not _KEY_IN_URL.search(scope["path"]) else "[key in address]",
                status,
                seconds * 1000,
                scope.get(KEY_ID, "-"),
                scope[CLIENT_IP],
            )

    def _refusal(self, scope: Scope, origin: str, allowed_origin: str) -> Response | None:
        headers = Headers(scope=scope)
        if not self._host_is_ours(headers.get("host", "")):
            return _problem(421, "This server does not answer for that host name; LATCHKEY_MCP_HOSTS lists the names.")
        if scope["path"].startswith(DISCOVERY):
            return _preflight("*") if scope["method"] == "OPTIONS" else None
        if origin and not allowed_origin:
            return _problem(403, "Requests from pages of that origin are not accepted.")
        if scope["method"] == "OPTIONS" and headers.get("access-control-request-method"):
            return _preflight(origin)
        if _KEY_IN_URL.search(scope["path"] + "?" + unquote(scope["query_string"].decode("latin-1"))):
            return _problem(
                400,
                "A key must not stand in an address, where logs and histories keep it: send it in a header, and rotate"
                " this one.",
            )
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._limit:
            return _problem(413, f"The body is larger than {self._limit} bytes.")
        return None

    def _host_is_ours(self, host: str) -> bool:
        host = host.lower()
        return host in self._hosts or host.rpartition(":")[0] in LOOPBACK or host in LOOPBACK

    def _origin_is_ours(self, origin: str) -> bool:
        if origin in self._origins:
            return True
        parts = urlsplit(origin)
        return self._local and parts.scheme == "http" and (parts.hostname or "") in {"localhost", "127.0.0.1", "::1"}

    @staticmethod
    def _add_headers(headers: MutableHeaders, path: str, origin: str, request_id: str) -> None:
        headers["X-Request-Id"] = request_id
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("Cache-Control", "no-store")
        if origin and not path.startswith(DISCOVERY):
            headers.setdefault("Access-Control-Allow-Origin", origin)
            headers["Access-Control-Expose-Headers"] = "WWW-Authenticate, Retry-After, X-Request-Id"
            headers.add_vary_header("Origin")


def client_address(scope: Scope, trusted_proxies: int) -> str | None:
    """The caller's address: with n trusted proxies, the n-th entry of `X-Forwarded-For` from the right."""
    address = scope["client"][0] if scope.get("client") else ""
    if trusted_proxies:
        forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
        forwarded = [part.strip() for part in forwarded if part.strip()]
        if len(forwarded) >= trusted_proxies:
            address = forwarded[-trusted_proxies]
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


async def _read(receive: Receive, limit: int) -> bytes | Response:
    """The whole body; 413 as soon as it is longer than `limit`, 408 if it takes too long."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return _problem(400, "The request ended before its body.")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    return _problem(413, f"The body is larger than {limit} bytes.")
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        return _problem(408, f"The body did not arrive within {BODY_SECONDS} seconds.")


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once and then what the connection gives."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _problem(status: int, detail: str) -> Response:
    """An RFC 9457 problem document."""
    body = {"type": "about:blank", "title": _TITLES[status], "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


def _preflight(origin: str) -> Response:
    """The answer to a browser's question whether it may ask."""
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, HEAD, OPTIONS",
        "Access-Control-Allow-Headers": _CORS_HEADERS,
        "Access-Control-Max-Age": "600",
    }
    return Response(status_code=204, headers=headers)


_TITLES: Final = {
    400: "Bad request",
    403: "Forbidden",
    408: "Request timeout",
    413: "Content too large",
    421: "Misdirected request",
}
