"""The ASGI application: guard, then gate, then the SDK; beside them GrowERP's endpoints and the discovery documents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keys.mcp import discovery
from keys.mcp.config import Config
from keys.mcp.gate import Gate, LenientEndpoint, StrictEndpoint
from keys.mcp.growerp import BASE, Surface
from keys.mcp.guard import Guard
from keys.mcp.login import SignIn, auth_prompt
from keys.mcp.metrics import CountingVerifier, Meter
from keys.mcp.portal_api import PortalAPI
from keys.mcp.server import build_server

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def create_app(config: Config, transport: httpx.AsyncBaseTransport | None = None) -> ASGIApp:
    """The application for one process. `transport`: how its own reads reach the portal, if not over the network."""
    portal = PortalAPI(config.portal_url, config.server_credential, transport)
    meter = Meter(config.metrics_token)
    verifier = CountingVerifier(config.portal_url, config.server_credential)
    verifier.meter = meter
    sessions = StreamableHTTPSessionManager(
        app=build_server(portal),
        json_response=True,
        stateless=True,
        max_request_body_size=config.max_body_bytes,
        # The guard has already looked at host and origin, for every endpoint and not for this one alone.
        security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    sdk = StreamableHTTPASGIApp(sessions)
    gate, sign_in = Gate(verifier, config.portal_url), SignIn(portal, config)
    protocol_metadata = discovery.metadata_url(config.protocol_url)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            async with sessions.run():
                yield
        finally:
            await verifier.aclose()
            await portal.aclose()

    application = Starlette(
        routes=[
            Route("/mcp", StrictEndpoint(gate, sdk, discovery.metadata_url(config.mcp_url))),
            Route(
                f"{BASE}/protocol",
                LenientEndpoint(gate, sdk, protocol_metadata, sign_in, partial(auth_prompt, config)),
            ),
            *Surface(config, gate, sign_in, protocol_metadata).routes(),
            *discovery.routes(config),
            *meter.routes(),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _internal_error},
        lifespan=lifespan,
    )
    # A redirect to the spelling without a slash would lose the body or the key: the guard takes both for one address.
    application.router.redirect_slashes = False
    return Guard(application, config, meter)


async def _http_error(_request: Request, error: Any) -> Response:
    """404 and 405 as JSON: an empty or HTML answer at an unknown well-known address confuses clients."""
    body = {"type": "about:blank", "title": error.detail, "status": error.status_code, "detail": error.detail}
    return JSONResponse(body, error.status_code, error.headers, media_type="application/problem+json")


async def _internal_error(_request: Request, _error: Exception) -> Response:
    """500 without a trace of why; the log has it."""
    body = {"type": "about:blank", "title": "Internal server error", "status": 500, "detail": "Something went wrong."}
    return JSONResponse(body, 500, media_type="application/problem+json")
