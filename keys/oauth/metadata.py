"""Where clients learn what this authorization server can do (RFC 8414, OpenID Connect Discovery)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from keys import scopes
from keys.oauth.assertions import ALGORITHMS
from keys.oauth.cors import open_to_browsers
from keys.oauth.validator import GRANT_TYPES

AUTH_METHODS = ["none", "client_secret_post", "client_secret_basic"]


def document() -> dict[str, Any]:
    """The metadata. `issuer` is the plain text of the portal's address: clients compare it letter by letter."""

    def address(name: str) -> str:
        return settings.PORTAL_URL + reverse(name)

    return {
        "issuer": settings.PORTAL_URL,
        "authorization_endpoint": address("oauth:authorize"),
        "token_endpoint": address("oauth:token"),
        "device_authorization_endpoint": address("oauth:device_authorization"),
        "registration_endpoint": address("oauth:register"),
        "revocation_endpoint": address("oauth:revoke"),
        "introspection_endpoint": address("oauth:introspect"),
        # Kept small: some clients ask for every scope that stands here. Others are asked for where a tool needs them.
        "scopes_supported": [scopes.READ],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": [*AUTH_METHODS, "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": settings.OAUTH2_PROVIDER["CIMD_ENABLED"],
        "service_documentation": settings.PORTAL_URL + reverse("connect"),
    }


@open_to_browsers
@require_safe
def authorization_server(request: HttpRequest) -> HttpResponse:
    """`/.well-known/oauth-authorization-server`."""
    return _cacheable(document())


@open_to_browsers
@require_safe
def openid_configuration(request: HttpRequest) -> HttpResponse:
    """`/.well-known/openid-configuration`: the same, for clients that look only there.

    The three members that OpenID demands stand in it; no ID token is given out, so the key set is empty.
    """
    extra = {
        "jwks_uri": settings.PORTAL_URL + reverse("oauth:jwks"),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    return _cacheable(document() | extra)


@open_to_browsers
@require_safe
def jwks(request: HttpRequest) -> HttpResponse:
    """No keys: tokens are opaque, and MCP servers ask about them."""
    return _cacheable({"keys": []})


def _cacheable(content: dict[str, Any]) -> JsonResponse:
    return JsonResponse(content, headers={"Cache-Control": "public, max-age=300"})
