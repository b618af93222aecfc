"""/api/v1/keys: list, create, show, change, rotate, end an overlap, revoke."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from keys import services
from keys.api.management.base import (
    PAGING,
    ManagementView,
    actor_of,
    caller_of,
    page_of,
    precondition_failed,
    with_etag,
)
from keys.api.management.idempotency import HEADER as IDEMPOTENCY_KEY
from keys.api.management.idempotency import Made, once
from keys.api.management.serializers import (
    ChangedKeySerializer,
    KeyPageSerializer,
    KeySerializer,
    MadeKeySerializer,
    NewKeySerializer,
    ReasonSerializer,
    RotationSerializer,
    key_json,
)
from keys.api.problems import problem
from keys.api.verify import PROBLEMS, json_response
from keys.errors import NotAllowed, ServerUnavailable
from keys.management_tokens.services import Caller
from keys.models import CredentialState, Key, ManagementScope, McpServer
from keys.selectors import company_key, company_keys, labelled, visible_servers

_ERRORS = {code: PROBLEMS[code] for code in (400, 401, 429)}
_WITH_MISSING = {**_ERRORS, 403: PROBLEMS[401], 404: PROBLEMS[400], 422: PROBLEMS[400]}
_READ, _WRITE = ManagementScope.KEYS_READ.value, ManagementScope.KEYS_WRITE.value


class OneKeyView(ManagementView):
    """Base of the views of one key: found from the company, and managed within its maker's role."""

    def key(self, request: Request, key_id: str, *, manage: bool = False) -> Key:
        """The company's key `key_id`. Raises Http404, NotAllowed."""
        caller = caller_of(request)
        key = company_key(caller.company, key_id)
        if key is None:
            raise Http404
        membership = caller.membership
        if manage and not key.may_be_managed_by(
            membership.user, membership.may("key:manage_any"), membership.may("key:manage_own")
        ):
            raise NotAllowed
        return key


@extend_schema(tags=["keys"])
class KeysView(ManagementView):
    """The company's keys."""

    scopes = {"GET": _READ, "POST": _WRITE}

    @extend_schema(
        operation_id="list_keys",
        description="The company's keys, latest first.",
        parameters=[
            OpenApiParameter("state", str, enum=CredentialState.values),
            OpenApiParameter("server", str, description="Id or name of the MCP server."),
            OpenApiParameter("user", str, description="Id of the member."),
            OpenApiParameter("name", str, description="Part of the name."),
            OpenApiParameter("label", str, description="One of its labels."),
            *PAGING,
        ],
        responses={200: KeyPageSerializer, **_ERRORS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List."""
        rows = company_keys(caller_of(request).company)
        query = request.query_params
        if state := query.get("state"):
            if state not in CredentialState.values:
                raise ValidationError({"state": f"Send one of {', '.join(CredentialState.values)}."})
            rows = rows.in_state(state)  # type: ignore[attr-defined]
        for name in ("server", "user", "name", "label"):
            if "\x00" in query.get(name, ""):
                raise ValidationError({name: "Send plain text."})
        if server := query.get("server"):
            rows = rows.filter(Q(server_id=server) | Q(server__name=server))
        if user := query.get("user"):
            rows = rows.filter(user_id=user)
        if part := query.get("name"):
            rows = rows.filter(name__icontains=part)
        if label := query.get("label"):
            rows = labelled(rows, label)
        found, following = page_of(request, rows)
        return json_response({"results": [key_json(key) for key in found], "next": following})

    @extend_schema(
        operation_id="create_key",
        description="Makes a key that acts for the token's maker. Send an `Idempotency-Key`: asked again with it, "
        "nothing new is made, and the first key comes back with status 200 and without its value.",
        parameters=[IDEMPOTENCY_KEY],
        request=NewKeySerializer,
        responses={201: MadeKeySerializer, 200: MadeKeySerializer, **_WITH_MISSING, 409: PROBLEMS[400]},
    )
    def post(self, request: Request) -> HttpResponse:
        """Create."""
        serializer = NewKeySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        caller = caller_of(request)

        def make() -> Made:
            key, token = services.create_key(
                company=caller.company,
                server=_server(caller, data["server"]),
                user=caller.membership.user,
                name=data["name"],
                scopes=data["scopes"],
                expires_at=_expiry(data),
                allowed_ips=data.get("allowed_ips"),
                per_minute=data.get("per_minute"),
                per_month=data.get("per_month"),
                labels=data.get("labels", ()),
                actor=actor_of(request),
            )
            return key.pk, key_json(key) | {"value": token.text}

        return once(request, make=make, made_before=lambda key_id: _without_value(caller, key_id))


@extend_schema(tags=["keys"])
class KeyView(OneKeyView):
    """One key."""

    scopes = {"GET": _READ, "PATCH": _WRITE}

    @extend_schema(operation_id="get_key", description="One key.", responses={200: KeySerializer, **_WITH_MISSING})
    def get(self, request: Request, key_id: str) -> HttpResponse:
        """Show."""
        return with_etag(key_json(self.key(request, key_id)))

    @extend_schema(
        operation_id="update_key",
        description="Changes name, scopes, allow list, limits or labels. With `If-Match` only if nobody changed it "
        "meanwhile (412).",
        parameters=[OpenApiParameter("If-Match", str, OpenApiParameter.HEADER)],
        request=ChangedKeySerializer,
        responses={200: KeySerializer, **_WITH_MISSING, 412: PROBLEMS[400]},
    )
    def patch(self, request: Request, key_id: str) -> HttpResponse:
        """Change."""
        serializer = ChangedKeySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            key = self.key(request, key_id, manage=True)
            Key.objects.select_for_update().get(pk=key.pk)
            key = self.key(request, key_id)
            if precondition_failed(request._request, key_json(key)):
                return problem(412, "The key was changed meanwhile. Read it again, then change it.")
            services.update_key(key=key, actor=actor_of(request), **serializer.validated_data)
        return with_etag(key_json(self.key(request, key_id)))


@extend_schema(tags=["keys"])
class RotateKeyView(OneKeyView):
    """Rotation."""

    scopes = {"POST": _WRITE}

    @extend_schema(
        operation_id="rotate_key",
        description="Gives the key a new value at once, as a key of its own that `replaces` it; the old value is "
        "accepted for `overlap_seconds`, never past its expiry. Rotated twice, the second time is 409. Send an "
        "`Idempotency-Key`: asked again with it, the new key comes back with status 200 and without its value.",
        parameters=[IDEMPOTENCY_KEY],
        request=RotationSerializer,
        responses={201: MadeKeySerializer, 200: MadeKeySerializer, **_WITH_MISSING, 409: PROBLEMS[400]},
    )
    def post(self, request: Request, key_id: str) -> HttpResponse:
        """Rotate."""
        serializer = RotationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        overlap = timedelta(seconds=serializer.validated_data["overlap_seconds"])
        caller, old = caller_of(request), self.key(request, key_id, manage=True)

        def make() -> Made:
            key, token = services.rotate_key(key=old, overlap=overlap, actor=actor_of(request))
            return key.pk, key_json(key) | {"value": token.text}

        return once(request, make=make, made_before=lambda new_id: _without_value(caller, new_id))


@extend_schema(tags=["keys"])
class EndOverlapView(OneKeyView):
    """The end of an overlap, before its time."""

    scopes = {"POST": _WRITE}

    @extend_schema(
        operation_id="end_overlap",
        description="Stops accepting the old value of a rotated key now. Give the old key's id; 422 if its overlap has "
        "ended.",
        request=None,
        responses={200: KeySerializer, **_WITH_MISSING},
    )
    def post(self, request: Request, key_id: str) -> HttpResponse:
        """End."""
        services.end_overlap(key=self.key(request, key_id, manage=True), actor=actor_of(request))
        return with_etag(key_json(self.key(request, key_id)))


@extend_schema(tags=["keys"])
class RevokeKeyView(OneKeyView):
    """Revocation."""

    scopes = {"POST": _WRITE}

    @extend_schema(
        operation_id="revoke_key",
        description="Refuses the key, and an older value of it that is still accepted, from now on. Safe to repeat.",
        request=ReasonSerializer,
        responses={200: KeySerializer, **_WITH_MISSING},
    )
    def post(self, request: Request, key_id: str) -> HttpResponse:
        """Revoke."""
        serializer = ReasonSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        key = self.key(request, key_id, manage=True)
        services.revoke_key(key=key, reason=serializer.validated_data["reason"], actor=actor_of(request))
        return with_etag(key_json(self.key(request, key_id)))


def _server(caller: Caller, text: str) -> McpServer:
    found = visible_servers(caller.company).filter(Q(pk=text) | Q(name=text)).order_by("company_id").first()
    if found is None:
        raise ServerUnavailable
    return found


def _expiry(data: dict[str, Any]) -> Any:
    days = data.get("expires_in_days")
    return timezone.now() + timedelta(days=days) if days else data.get("expires_at")


def _without_value(caller: Caller, key_id: str) -> dict[str, Any] | None:
    key = company_key(caller.company, key_id)
    return key_json(key) | {"value": None} if key else None
