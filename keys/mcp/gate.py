"""The two MCP endpoints: `/mcp`, where everything needs a key, and GrowERP's protocol, where discovery needs none.

Both hand what they let in to the same SDK session manager. A key that is sent is a key that is checked, on public
methods too: real clients list tools long before they call one, and a person whose key is revoked or mistyped should
learn it then and not in the middle of a talk. `auth/login` alone ignores it, being the way out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from latchkey import AsyncVerifier
from latchkey.verdicts import MISSING
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from keys.mcp import elicitation, jsonrpc
from keys.mcp.access import Caller, Refusal, client_name, key_of, missing_key, refusal
from keys.mcp.catalogue import TOOLS
from keys.mcp.guard import CLIENT_IP, KEY_ID
from keys.mcp.lenient import complete, headers_for
from keys.mcp.resources import RESOURCES
from keys.mcp.server import CALLER

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from keys.mcp.login import SignIn

PUBLIC_METHODS: Final = frozenset(
    {
        "initialize",
        "ping",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "server/discover",
    }
)
_TOOL_NAMES: Final = frozenset(tool["name"] for tool in TOOLS)


@dataclass(frozen=True, slots=True)
class Gate:
    """Asks for the portal's verdict about a request, and says no in the right words."""

    verifier: AsyncVerifier
    portal_url: str = ""

    async def admit(self, scope: Scope, metadata_url: str, message: dict[str, Any] | None = None) -> Caller | Refusal:
        """The caller, or why not. Leaves the key's id for the log."""
        key = key_of(scope)
        if not key:
            return missing_key(metadata_url)
        verdict = await self.verifier.verify(
            key, tool=tool_of(message), client_ip=scope.get(CLIENT_IP), client=client_name(scope, message)
        )
        if verdict.key_id:
            scope[KEY_ID] = verdict.key_id
        return Caller(key, verdict) if verdict.valid else refusal(verdict, metadata_url)


class StrictEndpoint:
    """`/mcp`: Streamable HTTP as the specification has it. Authorization comes before method and version checks."""

    def __init__(self, gate: Gate, app: ASGIApp, metadata_url: str) -> None:
        self._gate, self._app, self._metadata_url = gate, app, metadata_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through to the SDK, or refuse it."""
        body = await Request(scope, receive).body()
        message: dict[str, Any] | None = None
        bad: jsonrpc.BadMessage | None = None
        if scope["method"] == "POST":
            try:
                message = jsonrpc.read_message(body)
            except jsonrpc.BadMessage as error:
                bad = error
        caller = await self._gate.admit(scope, self._metadata_url, message)
        answer: Response | None = None
        if isinstance(caller, Refusal):
            offered = elicitation.offer(self._gate.portal_url, key_of(scope), message, caller)
            answer = offered or jsonrpc.refused(jsonrpc.id_of(message), caller)
        elif scope["method"] != "POST":
            answer = not_post()
        elif bad is not None:
            answer = JSONResponse(jsonrpc.error(None, bad.code, bad.message), 400)
        if answer is not None:
            await answer(scope, receive, send)
            return
        scope[CALLER] = caller
        # The SDK reads what was checked here, not the caller's bytes: two parsers may differ about a repeated member.
        await self._app(scope, _body(json.dumps(message).encode(), receive), send)


class LenientEndpoint:
    """`/rest/s1/mcp/protocol`: the same protocol for curl, GrowERP's scripts and clients with the published snippet."""

    def __init__(
        self,
        gate: Gate,
        app: ASGIApp,
        metadata_url: str,
        sign_in: SignIn,
        prompt: Callable[[jsonrpc.Id, str], dict[str, Any]],
    ) -> None:
        self._gate, self._app, self._metadata_url = gate, app, metadata_url
        self._sign_in, self._prompt = sign_in, prompt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        answer = await self._answer(scope, receive, send)
        if answer is not None:
            await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        if scope["method"] != "POST":
            caller = await self._gate.admit(scope, self._metadata_url)
            return self._refused(None, caller) if isinstance(caller, Refusal) else not_post()
        try:
            message = complete(jsonrpc.read_message(await Request(scope, receive).body(), unwrap=True))
        except jsonrpc.BadMessage as error:
            return JSONResponse(jsonrpc.error(None, error.code, error.message), 400)
        identifier = jsonrpc.id_of(message)
        if message["method"] == "auth/login":
            return await self._sign_in.by_protocol(scope, identifier, message.get("params"))
        caller = await self._gate.admit(scope, self._metadata_url, message)
        if isinstance(caller, Refusal):
            public = message["method"] in PUBLIC_METHODS or message["method"].startswith("notifications/")
            if not (public and caller.code == MISSING):
                return self._refused(identifier, caller)
        else:
            scope[CALLER] = caller
        scope["headers"] = headers_for(scope, message)
        await self._app(scope, _body(json.dumps(message).encode(), receive), send)
        return None

    def _refused(self, identifier: jsonrpc.Id, refusal: Refusal) -> Response:
        data = self._prompt(identifier, refusal.message)["error"]["data"] if refusal.status == 401 else None
        return jsonrpc.refused(identifier, refusal, data)


def tool_of(message: dict[str, Any] | None) -> str | None:
    """The tool whose scope `message` needs: the one it calls, or the one that stands behind the resource it reads.

    None for a tool that does not exist: the SDK then answers that it is unknown, rather than the portal that the key
    lacks its scope.
    """
    params = message.get("params") if message else None
    if not isinstance(params, dict):
        return None
    method = message.get("method") if message else None
    if method == "tools/call" and isinstance(name := params.get("name"), str):
        return name if name in _TOOL_NAMES else None
    if method == "resources/read" and isinstance(uri := params.get("uri"), str):
        resource = RESOURCES.get(uri)
        return resource.tool if resource else None
    return None


def not_post() -> Response:
    """405: without sessions there is no stream to open (GET) and nothing to end (DELETE)."""
    return JSONResponse(
        jsonrpc.error(None, jsonrpc.INVALID_REQUEST, "Use POST: this server keeps no sessions and opens no streams."),
        405,
        {"Allow": "POST"},
    )


def _body(content: bytes, receive: Receive) -> Receive:
    sent = False

    async def give() -> Any:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": content, "more_body": False}

    return give
