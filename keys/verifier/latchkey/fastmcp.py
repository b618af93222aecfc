"""For servers on FastMCP: `FastMCP(auth=LatchkeyAuth(…))`."""

from __future__ import annotations

from typing import Any

from fastmcp.server.auth.auth import AccessToken, AuthProvider
from starlette.middleware import Middleware
from starlette.routing import Route

from latchkey import credentials
from latchkey.aio import AsyncVerifier
from latchkey.asgi import App, KeyMiddleware, Receive, Scope, Send
from latchkey.context import verdict_on
from latchkey.core import digest
from latchkey.mcp import access_facts


class LatchkeyAuth(AuthProvider):
    """Keys of the portal for a FastMCP server: any of the three headers, and the scope of each tool.

    base_url: the server's address without the MCP path, as clients use it. portal: the portal's address if clients
    without a key may sign in there by OAuth; empty: keys only. scopes: what such a client asks for at first.
    """

    def __init__(
        self,
        verifier: AsyncVerifier,
        *,
        base_url: str,
        portal: str = "",
        scopes: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        super().__init__(base_url=base_url)
        self._verifier = verifier
        self._origin = base_url.rstrip("/")
        self._portal = portal.rstrip("/")
        self._scopes = scopes
        self._options = options

    @property
    def resource(self) -> str:
        """The MCP server's URL."""
        return self._origin + "/" + (self._mcp_path or "/mcp").strip("/")

    async def verify_token(self, token: str) -> AccessToken | None:
        """The key as FastMCP's access token; None if it is not good."""
        verdict = verdict_on(digest(token)) or await self._verifier.verify(token)
        return AccessToken(token=token, **access_facts(verdict, self.resource)) if verdict.valid else None

    def get_routes(self, mcp_path: str | None = None) -> list[Route]:
        """None: the middleware answers for the metadata too."""
        self.set_mcp_path(mcp_path)
        return []

    def get_middleware(self) -> list[Middleware]:
        """The check of the key, before FastMCP's own reading of the Bearer token."""
        path = "/" + (self._mcp_path or "/mcp").strip("/")
        check = Middleware(
            KeyMiddleware,
            verifier=self._verifier,
            resource=self.resource,
            authorization_servers=(self._portal,) if self._portal else (),
            scopes=self._scopes,
            **{"paths": (path,), **self._options},
        )
        return [check, Middleware(_AsBearer), *super().get_middleware()]


class _AsBearer:
    """FastMCP reads `Authorization: Bearer` alone: give it the key there, in whichever header it came."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("latchkey") is not None:
            found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"][::-1]}
            bearer = (b"authorization", b"Bearer " + credentials.find_key(found.get).encode("latin-1"))
            others = [(name, value) for name, value in scope["headers"] if name.lower() != b"authorization"]
            scope = {**scope, "headers": [*others, bearer]}
        await self.app(scope, receive, send)
