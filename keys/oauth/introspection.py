"""RFC 7662: what a token is, for an MCP server with a stock introspection client. The same core as the verify API."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from keys import verification
from keys.api import problems, throttling
from keys.api.authentication import bearer
from keys.models import McpServer
from keys.oauth.models import Connection
from keys.records import DatabaseAway


@csrf_exempt
@sensitive_post_parameters()
@require_POST
def introspect(request: HttpRequest) -> HttpResponse:
    """Whether the form's `token` (a key or an access token) is good for the MCP server that asks, and whose it is.

    The server's credential is the Bearer token, or the password of HTTP Basic. Whatever is wrong with the token, the
    answer is `{"active": false}`.
    """
    if refusal := throttling.refuse(request):
        return refusal
    credential = bearer(request) or _basic_password(request)
    token = request.POST.get("token", "")
    if credential and not 0 < len(token) <= 512:
        return JsonResponse({"error": "invalid_request", "error_description": "Send the token."}, status=400)
    try:
        question = verification.Question(token, client=request.POST.get("client", "")[:80])
        verdict = verification.verify(credential, question, request_id=request.request_id)  # type: ignore[attr-defined]
    except verification.NotAuthenticated:
        throttling.note_failure(request)
        return problems.not_authenticated()
    except DatabaseAway:
        return problems.database_unavailable()
    return JsonResponse(_answer(verdict), headers={"Cache-Control": "no-store"})


def _answer(verdict: dict[str, Any]) -> dict[str, Any]:
    if not verdict["valid"]:
        return {"active": False}
    answer = {
        "active": True,
        "scope": " ".join(verdict["scopes"]),
        "client_id": _client_id(verdict),
        "sub": verdict["user"]["id"],
        "username": verdict["user"]["email"],
        "token_type": "Bearer",
        "aud": McpServer.objects.values_list("url", flat=True).get(pk=verdict["server"]["id"]),
        "iss": settings.PORTAL_URL,
        **{name: verdict[name] for name in ("kind", "key_id", "key_name", "company", "user")},
    }
    if verdict["expires_at"]:
        answer["exp"] = int(datetime.fromisoformat(verdict["expires_at"]).timestamp())
    return answer


def _client_id(verdict: dict[str, Any]) -> str:
    """The OAuth client of a connection; a key is its own client."""
    if verdict["kind"] != "connection":
        return str(verdict["key_id"])
    found = Connection.objects.filter(pk=verdict["key_id"]).values_list("client__client_id", flat=True).first()
    return found or str(verdict["key_id"])


def _basic_password(request: HttpRequest) -> str:
    scheme, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return unquote(base64.b64decode(value, validate=True).decode().partition(":")[2])
    except (binascii.Error, UnicodeDecodeError):
        return ""
