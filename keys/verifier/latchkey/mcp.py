"""For servers on the official `mcp` SDK (2.3 or newer): `protect` for the whole server, or a `TokenVerifier` alone."""

from __future__ import annotations

import calendar
from typing import Any
from urllib.parse import urlsplit

from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from starlette.authentication import AuthCredentials

from latchkey import credentials
from latchkey.aio import AsyncVerifier
from latchkey.asgi import App, KeyMiddleware, Receive, Scope, Send
from latchkey.context import verdict_on
from latchkey.core import digest
from latchkey.verdicts import Verdict


def protect(
    app: App, verifier: AsyncVerifier, *, resource: str, portal: str = "", scopes: tuple[str, ...] = (), **options: Any
) -> KeyMiddleware:
    """`app` (of `streamable_http_app()`, made without `auth` settings of its own) behind a check of the key.

    resource: the server's full URL, as clients use it. portal: the portal's address if clients without a key may sign
    in there by OAuth; empty: keys only. scopes: what such a client asks for at first. options: as for KeyMiddleware;
    `paths` is the resource's own path unless given.

    In a tool, `latchkey.current_verdict()` and the SDK's `get_access_token()` say who calls.
    """
    options.setdefault("paths", (urlsplit(resource).path or "/",))
    return KeyMiddleware(
        _Caller(app, resource),
        verifier,
        resource=resource,
        authorization_servers=(portal.rstrip("/"),) if portal else (),
        scopes=scopes,
        **options,
    )


class LatchkeyTokenVerifier(TokenVerifier):
    """The SDK's `TokenVerifier`: `MCPServer(token_verifier=…, auth=AuthSettings(…))`.

    The SDK reads `Authorization: Bearer` alone and knows nothing of tools, so a key good for one tool passes for all;
    prefer `protect`, which checks the tool's scope and reads `X-API-Key` and `api_key` too. Behind `protect` it answers
    from the verdict that is already there.
    """

    def __init__(self, verifier: AsyncVerifier, *, resource: str) -> None:
        self._verifier = verifier
        self._resource = resource

    async def verify_token(self, token: str) -> AccessToken | None:
        """The key as the SDK's access token; None if it is not good."""
        verdict = verdict_on(digest(token)) or await self._verifier.verify(token)
        return access_token(token, verdict, self._resource) if verdict.valid else None


def access_token(token: str, verdict: Verdict, resource: str) -> AccessToken:
    """What the SDK wants to know about a good key. The claims are the verdict's, without the key."""
    return AccessToken(token=token, **access_facts(verdict, resource))


def access_facts(verdict: Verdict, resource: str) -> dict[str, Any]:
    """Everything in an access token but the token."""
    company, user = verdict.company, verdict.user
    claims: dict[str, Any] = {"key_id": verdict.key_id, "key_name": verdict.key_name}
    if company is not None:
        claims["company"] = {"id": company.id, "name": company.name, "slug": company.slug}
    if user is not None:
        claims["user"] = {"id": user.id, "name": user.name, "email": user.email}
    return {
        "client_id": verdict.key_id,
        "scopes": list(verdict.scopes),
        "expires_at": calendar.timegm(verdict.expires_at.utctimetuple()) if verdict.expires_at else None,
        "resource": resource,
        "subject": user.id if user else None,
        "claims": claims,
    }


class _Caller:
    """Tells the SDK who calls, so that its sessions stay with the key that opened them."""

    def __init__(self, app: App, resource: str) -> None:
        self._app = app
        self._resource = resource

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        verdict = scope.get("latchkey")
        if verdict is None:
            await self._app(scope, receive, send)
            return
        key = credentials.find_key(_header(scope))
        user = AuthenticatedUser(access_token(key, verdict, self._resource))
        set_user = auth_context_var.set(user)
        try:
            await self._app({**scope, "user": user, "auth": AuthCredentials(list(verdict.scopes))}, receive, send)
        finally:
            auth_context_var.reset(set_user)


def _header(scope: Scope) -> Any:
    found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(scope["headers"])}
    return found.get
