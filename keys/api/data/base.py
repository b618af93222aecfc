"""What the data views share: who may read, how much at once, what is searched for."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from keys import scopes
from keys.api.key_authentication import KeyAuthentication, KeyCaller
from keys.api.throttling import LimitedView
from keys.api.verify import PROBLEMS

MOST = 100
PAGE = [
    OpenApiParameter("start", int, description="How many to pass over."),
    OpenApiParameter("limit", int, description=f"How many at most, 1 to {MOST}; default 20."),
]
RESPONSES = {200: dict, **{code: PROBLEMS[code] for code in (400, 401, 429, 503)}}


class HasToolScope(BasePermission):
    """The key's scopes permit the tool that shows this data."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Whether the caller's key may call `view.tool`."""
        caller = request.user
        return isinstance(caller, KeyCaller) and scopes.allows(caller.scopes, view.tool, caller.read_only_tools)


class DataView(LimitedView):
    """Base of the data views. `tool`: the MCP tool that shows it."""

    authentication_classes = (KeyAuthentication,)
    permission_classes = (HasToolScope,)
    tool = ""

    def limit_of(self, request: Any) -> tuple[str, int | None]:
        """As many as the key may send to MCP servers, in a bucket of its own: a call there reads here once."""
        return (
            (f"data:{request.user.pk}", request.user.per_minute) if isinstance(request.user, KeyCaller) else ("", None)
        )


def caller_of(request: Request) -> KeyCaller:
    """The caller that KeyAuthentication found."""
    return cast(KeyCaller, request.user)


def window(request: Request, rows: QuerySet[Any]) -> tuple[list[Any], int]:
    """`rows` from `start`, at most `limit`, and how many there are. Raises ValidationError."""
    values = {}
    for name, default, least, most in (("start", 0, 0, 1_000_000), ("limit", 20, 1, MOST)):
        text = request.query_params.get(name, str(default))
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValidationError({name: f"Send a whole number from {least} to {most}."})
        values[name] = int(text)
    return list(rows[values["start"] : values["start"] + values["limit"]]), rows.count()


def search_text(request: Request, name: str) -> str:
    """The query parameter `name`, bounded. Raises ValidationError."""
    text = request.query_params.get(name, "").strip()
    if len(text) > 120 or "\x00" in text:
        raise ValidationError({name: "Send at most 120 characters."})
    return text
