"""ASGI middleware: only requests with a good key reach the application. For any Starlette, FastAPI or MCP server."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from typing import Any

from latchkey import credentials, jsonrpc, verdicts
from latchkey.aio import AsyncVerifier
from latchkey.context import named, serving
from latchkey.core import digest
from latchkey.metadata import Resource
from latchkey.tokens import is_key, is_missing
from latchkey.verdicts import Verdict, refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
# Makes the body of a refusal, from the verdict and the parsed request (None if there is none).
Refuse = Callable[[Verdict, Any], dict[str, Any]]


class _Refused(Exception):
    """An answer that ends the request."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = headers or {}


class KeyMiddleware:
    """Lets a request through if its key is good for it; else answers 401, 403, 429 or 503 as MCP's specification says.

    The key is checked before anything else, for every method alike. A `tools/call` needs the scope of its tool. Further
    in, the verdict is `scope["latchkey"]` and `latchkey.current_verdict()`.
    """

    def __init__(
        self,
        app: App,
        verifier: AsyncVerifier,
        *,
        resource: str = "",
        authorization_servers: Sequence[str] = (),
        scopes: Sequence[str] = (),
        name: str = "",
        paths: Sequence[str] = ("/",),
        public_paths: Collection[str] = (),
        public_methods: Collection[str] = (),
        max_body: int = 4 * 1024 * 1024,
        client_ip: Callable[[Scope], str | None] | None = None,
        messages: Callable[[Any], list[dict[str, Any]]] = jsonrpc.messages,
        refuse: Refuse | None = None,
    ) -> None:
        """Wrap `app`.

        resource, authorization_servers, scopes, name: see `latchkey.metadata.Resource`.
        paths: what is protected: a path, and all below it. public_paths: exceptions, each exactly.
        public_methods: JSON-RPC methods that need no key; one that is sent must be good all the same.
        max_body: the largest body in bytes; larger is 413.
        client_ip: finds the client's address; without it, the connection's (correct behind uvicorn's proxy headers).
        messages: finds the JSON-RPC messages in a parsed body. refuse: makes the bodies of refusals.
        """
        self.app = app
        self.resource = Resource(resource, tuple(authorization_servers), tuple(scopes), name)
        self._verifier = verifier
        self._paths = tuple(path.rstrip("/") for path in paths)
        self._public_paths = frozenset(public_paths)
        self._public_methods = frozenset(public_methods)
        self._max_body = max_body
        self._client_ip = client_ip or _connection_address
        self._messages = messages
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._closing(send))
            return
        if scope["type"] == "http" and self.resource.is_metadata_path(scope["path"]):
            await _answer(scope, send, 200, self.resource.metadata(), {"Access-Control-Allow-Origin": "*"})
            return
        if not self._is_protected(scope["path"]) or _is_preflight(scope):
            await self.app(scope, receive, send)
            return
        try:
            with named(_headers(scope)("x-request-id") or ""):
                key, verdict, receive = await self._admit(scope, receive)
        except _Refused as refused:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
            else:
                await _answer(scope, send, refused.status, refused.body, refused.headers)
            return
        if verdict is None:
            await self.app(scope, receive, send)
            return
        with serving(digest(key), verdict):
            await self.app({**scope, "latchkey": verdict}, receive, send)

    async def _admit(self, scope: Scope, receive: Receive) -> tuple[str, Verdict | None, Receive]:
        """The key, the verdict on it (None: not needed), and the body again. Raises _Refused."""
        header = _headers(scope)
        target = scope.get("raw_path", b"").decode("latin-1") + "?" + scope.get("query_string", b"").decode("latin-1")
        if credentials.is_key_in_url(target):
            raise _Refused(400, {"error": "invalid_request", "error_description": credentials.KEY_IN_URL})
        key = credentials.find_key(header)
        if not self._public_methods and self._refuse is None:
            # Nothing in the body could change the answer, so do not read it.
            self._check_form(key, None)
        data: Any = None
        tools: list[str | None] = []
        if scope["type"] == "http" and scope["method"] == "POST":
            body = await self._read(header, receive)
            receive = _again(body, receive)
            if body:
                data, tools = self._look_into(body, header("content-type") or "")
        if not key and self._is_public(data):
            return "", None, receive
        self._check_form(key, data)
        address, client = self._client_ip(scope), credentials.client_name(header("user-agent"))
        verdict = None
        for tool in tools or [None]:
            verdict = await self._verifier.verify(key, tool, address, client)
            if not verdict.valid:
                raise self._refusal(verdict, data)
        return key, verdict, receive

    def _check_form(self, key: str, data: Any) -> None:
        if is_missing(key):
            raise self._refusal(refusal(verdicts.MISSING), data)
        if not is_key(key):
            raise self._refusal(refusal(verdicts.MALFORMED), data)

    def _look_into(self, body: bytes, content_type: str) -> tuple[Any, list[str | None]]:
        """The parsed body and the tools that it calls."""
        try:
            data = jsonrpc.read(body)
            return data, list(jsonrpc.called_tools(self._messages(data)))
        except jsonrpc.Unreadable as error:
            media_type = content_type.split(";")[0].strip().lower()
            if error.code == jsonrpc.PARSE_ERROR and media_type and not media_type.endswith("json"):
                return None, []  # a form or an upload: not JSON-RPC
            raise _Refused(400, error.body()) from None

    def _is_public(self, data: Any) -> bool:
        found = self._messages(data) if data is not None else []
        return bool(found) and all(message.get("method") in self._public_methods for message in found)

    def _is_protected(self, path: str) -> bool:
        if path in self._public_paths:
            return False
        return any(path == prefix or path.startswith(prefix + "/") for prefix in self._paths)

    def _refusal(self, verdict: Verdict, data: Any) -> _Refused:
        headers = verdict.headers(resource_metadata=self.resource.metadata_url, scopes=self.resource.scopes)
        return _Refused(verdict.status, self._refuse(verdict, data) if self._refuse else verdict.body(), headers)

    async def _read(self, header: Callable[[str], str | None], receive: Receive) -> bytes:
        length = header("content-length") or ""
        too_large = _Refused(
            413, {"error": "invalid_request", "error_description": f"Send at most {self._max_body} bytes."}
        )
        if length.isascii() and length.isdigit() and int(length) > self._max_body:
            raise too_large
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Refused(400, {"error": "invalid_request", "error_description": "The request was broken off."})
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max_body:
                raise too_large
        return bytes(body)

    def _closing(self, send: Send) -> Send:
        async def closing(message: Message) -> None:
            if message["type"] in {"lifespan.shutdown.complete", "lifespan.shutdown.failed"}:
                await self._verifier.aclose()
            await send(message)

        return closing


def _headers(scope: Scope) -> Callable[[str], str | None]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return found.get


def _connection_address(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _is_preflight(scope: Scope) -> bool:
    """A browser's question about CORS, which never carries a key (Fetch, section 3.2.2)."""
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        return False
    return any(name.lower() == b"access-control-request-method" for name, _value in scope["headers"])


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once more, then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(scope: Scope, send: Send, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
    content = json.dumps(body).encode()
    all_headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        "Cache-Control": "no-store",
        **headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in all_headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})
