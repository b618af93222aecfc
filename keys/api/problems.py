"""RFC 9457 problem documents: how the API says that the caller's own request is wrong."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.views import set_rollback

from keys.errors import LifecycleError
from keys.records import DatabaseAway
from keys.verification import NotAuthenticated
from portal.logs import request_id

log = logging.getLogger(__name__)

RETRY_SECONDS = 2
_TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    422: "Cannot be done",
    429: "Too many requests",
    500: "Server error",
    503: "Unavailable",
}


def problem(
    status_code: int, detail: str, *, type_: str = "", headers: dict[str, str] | None = None, **members: Any
) -> HttpResponse:
    """A problem document (RFC 9457, section 3). `type_`: last part of its type URI, described in /api/docs/."""
    body = {
        "type": f"{settings.PORTAL_URL}/problems/{type_}" if type_ else "about:blank",
        "title": _TITLES.get(status_code, "Error"),
        "status": status_code,
        "detail": detail,
        "request_id": request_id.get(),
        **members,
    }
    return HttpResponse(
        orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS),  # errors of lists are keyed by place
        status=status_code,
        content_type="application/problem+json",
        headers=headers or {},
    )


def not_authenticated(detail: str = "", *, error: str = "") -> HttpResponse:
    """401 with the challenge of RFC 6750, section 3: without `error` when nothing was sent."""
    challenge = 'Bearer realm="latchkey"' + (f', error="{error}"' if error else "")
    return problem(
        401,
        detail or "Send your credential as `Authorization: Bearer …`.",
        type_="not-authenticated",
        headers={"WWW-Authenticate": challenge},
    )


def no_such_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """404 for an address that the API does not have."""
    return problem(404, "The API has no such address. See /api/docs/.", type_="not-found")


def database_unavailable() -> HttpResponse:
    """503: verification fails closed while the database is away."""
    return problem(
        503,
        "The database does not answer. Nothing was decided; try again.",
        type_="database-unavailable",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exceptions, ours, and faults of ours as problem documents."""
    if isinstance(error, NotAuthenticated):
        return not_authenticated("The credential is not good.", error="invalid_token")
    if isinstance(error, DatabaseAway | OperationalError | InterfaceError):
        log.warning("the database does not answer: %s", type(error).__name__)
        return database_unavailable()
    if isinstance(error, LifecycleError):
        code = 403 if error.code == "not_allowed" else 409 if error.code == "already_rotated" else 422
        return problem(code, str(error.message), type_=error.code.replace("_", "-"), code=error.code)
    if isinstance(error, Http404):
        return problem(404, "There is no such thing here.", type_="not-found")
    if isinstance(error, PermissionDenied):
        return problem(403, str(error) or "This credential may not do that.", type_="forbidden")
    if isinstance(error, exceptions.ValidationError):
        return problem(400, "Some of what was sent is wrong.", type_="invalid", errors=error.get_full_details())
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        sent = isinstance(error, exceptions.AuthenticationFailed)
        return not_authenticated(str(error.detail) if sent else "", error="invalid_token" if sent else "")
    if isinstance(error, exceptions.APIException):
        headers = {}
        if isinstance(error, exceptions.Throttled) and (wait := getattr(error, "wait", None)):
            headers["Retry-After"] = str(int(wait) + 1)
        if isinstance(error, exceptions.MethodNotAllowed):
            headers["Allow"] = ", ".join(context["view"].allowed_methods)
        return problem(error.status_code, str(error.detail), headers=headers)
    log.error("an API request failed", exc_info=error)
    set_rollback()
    return problem(500, "Something went wrong here. Nothing was done; tell the operator the request id.")
