"""RFC 9728: where a client finds who gives out access to this resource."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keys.mcp.config import Config

PREFIX: Final = "/.well-known/oauth-protected-resource"


def metadata_url(resource: str) -> str:
    """The address of the metadata of `resource`, in path form (RFC 9728, section 3.1)."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{PREFIX}{parts.path}"


def metadata(config: Config, resource: str) -> dict[str, Any]:
    """The metadata document of `resource`.

    The issuer is the plain text, never a URL object that grows a slash: clients compare it letter by letter with the
    `issuer` of the portal's own document.
    """
    return {
        "resource": resource,
        "resource_name": "Latchkey",
        "authorization_servers": [config.portal_url],
        "scopes_supported": ["tools:read"],
        "bearer_methods_supported": ["header"],
        "resource_documentation": f"{config.portal_url}/connect/",
    }


def routes(config: Config) -> list[Route]:
    """The metadata of both endpoints in path form, and of `/mcp` at the root for clients that look only there."""
    places = {
        PREFIX: config.mcp_url,
        PREFIX + urlsplit(config.mcp_url).path: config.mcp_url,
        PREFIX + urlsplit(config.protocol_url).path: config.protocol_url,
    }
    return [Route(path, _document(config, resource)) for path, resource in places.items()]


def _document(config: Config, resource: str) -> Any:
    async def endpoint(_request: Request) -> Response:
        headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=3600"}
        return JSONResponse(metadata(config, resource), headers=headers)

    return endpoint
