"""What every view of the management API shares: who calls, how often, what they may, and how lists are paged."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Any, TypeVar, cast

import orjson
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed, PermissionDenied, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from keys.api.authentication import bearer
from keys.api.parsers import JSONObjectParser
from keys.api.throttling import LimitedView
from keys.api.verify import json_response
from keys.management_tokens.services import Caller, TokenRefused, check_token
from portal.audit.actors import Actor
from portal.audit.models import ActorKind

REQUESTS_PER_MINUTE = 300
PAGE, MOST = 50, 200
PAGING = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description=f"1 to {MOST}; default {PAGE}."),
]
M = TypeVar("M", bound=Model)


class ManagementTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer lk_mgt_…`."""

    def authenticate(self, request: Any) -> tuple[Any, Caller] | None:
        """The caller, or None when nothing was sent. Raises AuthenticationFailed."""
        text = bearer(request._request)
        if not text:
            return None
        try:
            caller = check_token(text)
        except TokenRefused:
            raise AuthenticationFailed("This is no good management token.") from None
        return caller.token.user, caller

    def authenticate_header(self, request: Any) -> str:
        """The challenge, so that DRF answers 401 and not 403."""
        return 'Bearer realm="latchkey"'


class HasScope(BasePermission):
    """The token has the view's scope for this method, and its maker's role still reaches it."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Whether the caller may. Raises PermissionDenied, naming the scope."""
        if not isinstance(request.auth, Caller):
            return False
        scope = view.scopes.get(request.method)
        if scope is None:  # permissions are asked before the method is looked at
            raise MethodNotAllowed(request.method)
        if not request.auth.may(scope):
            raise PermissionDenied(f"The token needs the scope {scope}, and its maker a role that reaches it.")
        return True


class ManagementView(LimitedView):
    """Base of the management views. `scopes`: method → the scope that it needs."""

    authentication_classes = (ManagementTokenAuthentication,)
    permission_classes = (HasScope,)
    parser_classes = (JSONObjectParser,)
    scopes: dict[str, str] = {}

    def limit_of(self, request: Any) -> tuple[str, int | None]:
        """One bucket a token."""
        return (f"mgt:{request.auth.token.pk}", REQUESTS_PER_MINUTE) if isinstance(request.auth, Caller) else ("", None)


def caller_of(request: Request) -> Caller:
    """The caller that ManagementTokenAuthentication found."""
    return cast(Caller, request.auth)


def actor_of(request: Request) -> Actor:
    """The token, as the actor of an audit event."""
    caller = caller_of(request)
    return Actor.of(ActorKind.TOKEN, caller.token.pk, caller.token.name, request._request)


def limit_of(request: Request) -> int:
    """The `limit` that the caller asked for. Raises ValidationError."""
    text = request.query_params.get("limit", str(PAGE))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise ValidationError({"limit": f"Send a whole number from 1 to {MOST}."})
    return int(text)


def page_of(request: Request, rows: QuerySet[M], moment: str = "created_at") -> tuple[list[M], str | None]:
    """One page of `rows`, latest first by `moment` then id, and the cursor of the next page (None: the last one).

    Keyset pagination: as quick on the last page as on the first, and nothing is shown twice when rows are added.
    """
    limit = limit_of(request)
    rows = rows.order_by(f"-{moment}", "-pk")
    if text := request.query_params.get("cursor"):
        at, identifier = _read_cursor(text)
        rows = rows.filter(Q(**{f"{moment}__lt": at}) | Q(**{moment: at, "pk__lt": identifier}))
    found = list(rows[: limit + 1])
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    cursor = orjson.dumps([getattr(last, moment).isoformat(), last.pk])
    return found[:limit], base64.urlsafe_b64encode(cursor).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, Any]:
    try:
        at, identifier = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not isinstance(identifier, str | int) or "\x00" in str(identifier):
            raise ValueError
    except (ValueError, TypeError, binascii.Error):
        raise ValidationError({"cursor": "This is no cursor of ours. Leave it out to begin anew."}) from None
    return moment, identifier


def etag_of(representation: dict[str, Any]) -> str:
    """The entity tag of `representation`, for `If-Match` (RFC 9110, section 13.1.1)."""
    return f'"{hashlib.sha256(orjson.dumps(representation, option=orjson.OPT_SORT_KEYS)).hexdigest()[:24]}"'


def with_etag(representation: dict[str, Any], status: int = 200) -> HttpResponse:
    """`representation` as JSON, with its entity tag."""
    response = json_response(representation)
    response.status_code = status
    response.headers["ETag"] = etag_of(representation)
    return response


def precondition_failed(request: HttpRequest, representation: dict[str, Any]) -> bool:
    """Whether the caller's `If-Match` names another version than `representation`."""
    wanted = request.headers.get("If-Match")
    if wanted is None or wanted.strip() == "*":
        return False
    return etag_of(representation) not in {tag.strip() for tag in wanted.split(",")}


def iso(moment: datetime | None) -> str | None:
    """`moment` in ISO 8601, or None."""
    return moment.isoformat() if moment else None
