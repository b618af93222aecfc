"""Dynamic client registration (RFC 7591): how most AI clients make themselves known. Nothing here is trusted."""

from __future__ import annotations

import json
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import get_application_model

from keys import windows
from keys.oauth import redirects
from keys.oauth.client_secrets import stored_secret
from keys.oauth.cors import open_to_browsers
from keys.oauth.validator import DEVICE_CODE, grants_of
from portal.addresses import client_address

MOST_AN_HOUR: Final = 60
MOST_BYTES: Final = 16 * 1024
MOST_REDIRECTS: Final = 10
GRANTS: Final = ("authorization_code", "refresh_token", DEVICE_CODE)
AUTH_METHODS: Final = {"none", "client_secret_basic", "client_secret_post"}


class Unregistrable(Exception):
    """The metadata is not acceptable: an error code of RFC 7591, section 3.2.2, and what is wrong."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error, self.description = error, description


@csrf_exempt
@open_to_browsers
@require_http_methods(["POST"])
def register(request: HttpRequest) -> HttpResponse:
    """Register a client. Limited by address; without a token the registration is cleaned up after a while."""
    wait = windows.wait("oauth-registrations", client_address(request) or "", MOST_AN_HOUR, 3600)
    if wait:
        return _answer({"error": "too_many_requests", "error_description": "Too many registrations."}, 429, wait)
    try:
        client, secret, method = _register(_read(request))
    except Unregistrable as error:
        return _answer({"error": error.error, "error_description": error.description}, 400)
    answer: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created.timestamp()),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris.split(),
        "grant_types": sorted(grants_of(client)),
        "response_types": ["code"] if client.redirect_uris else [],
        "token_endpoint_auth_method": method,
    }
    if secret:
        answer |= {"client_secret": secret, "client_secret_expires_at": 0}
    return _answer(answer, 201)


def _read(request: HttpRequest) -> dict[str, Any]:
    if len(request.body) > MOST_BYTES:
        raise Unregistrable("invalid_client_metadata", "The document is too large.")
    try:
        data = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Unregistrable("invalid_client_metadata", "Send a JSON object.") from None
    if not isinstance(data, dict):
        raise Unregistrable("invalid_client_metadata", "Send a JSON object.")
    return data


def _register(data: dict[str, Any]) -> tuple[Any, str, str]:
    grants = data.get("grant_types", ["authorization_code"])
    if not isinstance(grants, list) or not set(map(str, grants)) <= set(GRANTS):
        raise Unregistrable("invalid_client_metadata", f"grant_types are {', '.join(GRANTS)}.")
    redirected = "authorization_code" in grants
    if not redirected and DEVICE_CODE not in grants:
        raise Unregistrable("invalid_client_metadata", "grant_types must name a way to begin.")
    uris = data.get("redirect_uris", [])
    if not isinstance(uris, list) or not (1 if redirected else 0) <= len(uris) <= MOST_REDIRECTS:
        raise Unregistrable("invalid_redirect_uri", f"Send 1 to {MOST_REDIRECTS} redirect_uris.")
    if not all(isinstance(uri, str) and redirects.is_allowed(uri) for uri in uris):
        raise Unregistrable("invalid_redirect_uri", "Redirect addresses are https, or http on loopback.")
    if data.get("response_types", ["code"]) not in (["code"], [] if not redirected else ["code"]):
        raise Unregistrable("invalid_client_metadata", "response_types is code.")
    method = data.get("token_endpoint_auth_method", "client_secret_basic")
    if method not in AUTH_METHODS:
        raise Unregistrable("invalid_client_metadata", "token_endpoint_auth_method is not supported.")
    name = data.get("client_name", "")
    if not isinstance(name, str) or len(name) > 200 or not name.isprintable():
        raise Unregistrable("invalid_client_metadata", "client_name is text of at most 200 characters.")
    model = get_application_model()
    secret = "" if method == "none" else generate_client_secret()
    client = model(
        name=name,
        redirect_uris=" ".join(uris),
        client_type=model.CLIENT_CONFIDENTIAL if secret else model.CLIENT_PUBLIC,
        authorization_grant_type=model.GRANT_AUTHORIZATION_CODE if redirected else model.GRANT_DEVICE_CODE,
        client_secret=stored_secret(secret) if secret else "",
        hash_client_secret=False,  # it is hashed already, fast: it is as random as a key
        registration_source=model.RegistrationSource.DCR,
    )
    try:
        client.full_clean(exclude=["client_secret"])
    except ValidationError as error:
        raise Unregistrable("invalid_redirect_uri", " ".join(error.messages)) from None
    client.save(force_insert=True)
    return client, secret, method


def _answer(content: dict[str, Any], status: int, wait: int = 0) -> JsonResponse:
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": str(wait)} if wait else {})
    return JsonResponse(content, status=status, headers=headers)
