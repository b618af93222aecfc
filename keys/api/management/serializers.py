"""The shapes of the management API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from keys.api.management.base import iso
from keys.api.serializers import NamedSerializer
from keys.models import CredentialState, Key, McpServer


class KeySerializer(serializers.Serializer):
    """A key, without its value."""

    id = serializers.CharField()
    name = serializers.CharField()
    hint = serializers.CharField(help_text="What pages show of the value.")
    state = serializers.ChoiceField(CredentialState.choices)
    server = NamedSerializer()
    user = NamedSerializer(help_text="The member whom it acts for.")
    scopes = serializers.ListField(child=serializers.CharField())
    allowed_ips = serializers.ListField(child=serializers.CharField())
    labels = serializers.ListField(child=serializers.CharField())
    per_minute = serializers.IntegerField(allow_null=True)
    per_month = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    overlap_ends_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_reason = serializers.CharField()
    replaces = serializers.CharField(allow_null=True)
    replaced_by = serializers.CharField(allow_null=True)


class MadeKeySerializer(KeySerializer):
    """A key that was just made, with its value: shown this once."""

    value = serializers.CharField(allow_null=True, help_text="null when it was asked for again.")


class KeyPageSerializer(serializers.Serializer):
    """One page of keys."""

    results = KeySerializer(many=True)
    next = serializers.CharField(allow_null=True)


def _words(*, length: int, most: int, **more: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=length), required=False, max_length=most, **more
    )


def _limit(most: int) -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=most, help_text="null: the plan's."
    )


class NewKeySerializer(serializers.Serializer):
    """What a new key is to be."""

    name = serializers.CharField(max_length=80)
    server = serializers.CharField(max_length=64, help_text="The MCP server's id or name.")
    scopes = serializers.ListField(child=serializers.CharField(max_length=140), min_length=1, max_length=200)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="null: never.")
    expires_in_days = serializers.IntegerField(required=False, min_value=1, max_value=3650)
    allowed_ips = _words(length=50, most=50)
    labels = _words(length=60, most=20, help_text="Up to five words.")
    per_minute = _limit(100_000)
    per_month = _limit(1_000_000_000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One way to say the expiry, and only one."""
        if ("expires_at" in attrs) == ("expires_in_days" in attrs):
            raise serializers.ValidationError(
                {"expires_at": "Send either expires_at (null: never) or expires_in_days."}
            )
        return attrs


class ChangedKeySerializer(serializers.Serializer):
    """What changes; the rest stays."""

    name = serializers.CharField(max_length=80, required=False)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=140), min_length=1, max_length=200, required=False
    )
    allowed_ips = _words(length=50, most=50)
    labels = _words(length=60, most=20, help_text="Up to five words.")
    per_minute = _limit(100_000)
    per_month = _limit(1_000_000_000)


class RotationSerializer(serializers.Serializer):
    """How long the old value is still accepted."""

    overlap_seconds = serializers.IntegerField(min_value=0, max_value=30 * 86400, default=0)


class ReasonSerializer(serializers.Serializer):
    """Why."""

    reason = serializers.CharField(max_length=300)


class ServerSerializer(serializers.Serializer):
    """An MCP server."""

    id = serializers.CharField()
    name = serializers.CharField()
    title = serializers.CharField()
    url = serializers.URLField()
    own = serializers.BooleanField(help_text="Whether it is the company's own.")
    tools = serializers.ListField(child=serializers.DictField())
    created_at = serializers.DateTimeField()


class ServerPageSerializer(serializers.Serializer):
    """One page of MCP servers."""

    results = ServerSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class ToolSerializer(serializers.Serializer):
    """A tool of a server's catalogue."""

    name = serializers.RegexField(r"^[A-Za-z0-9_./-]{1,128}$")
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    description = serializers.CharField(max_length=500, required=False, allow_blank=True)
    read_only = serializers.BooleanField(default=False)  # type: ignore[assignment]


class NewServerSerializer(serializers.Serializer):
    """An MCP server of the company's own."""

    name = serializers.CharField(max_length=64)
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    url = serializers.URLField(max_length=500)
    tools = ToolSerializer(many=True, required=False)


class CredentialSerializer(serializers.Serializer):
    """A server credential; `value` is shown this once."""

    id = serializers.CharField()
    name = serializers.CharField()
    hint = serializers.CharField()
    state = serializers.ChoiceField(CredentialState.choices)
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    value = serializers.CharField(required=False, allow_null=True, help_text="null when it was asked for again.")


class CredentialsSerializer(serializers.Serializer):
    """A server's credentials."""

    results = CredentialSerializer(many=True)


class NewCredentialSerializer(serializers.Serializer):
    """Its name."""

    name = serializers.CharField(max_length=80)


def key_json(key: Key) -> dict[str, Any]:
    """`key` as KeySerializer describes it."""
    replaced_by = getattr(key, "replaced_by", None)
    return {
        "id": key.pk,
        "name": key.name,
        "hint": key.hint,
        "state": key.state.value,
        "server": {"id": key.server_id, "name": key.server.name},
        "user": {"id": key.user_id, "name": key.user.name},
        "scopes": key.scopes,
        "allowed_ips": key.allowed_ips,
        "labels": key.labels,
        "per_minute": key.per_minute,
        "per_month": key.per_month,
        "created_at": iso(key.created_at),
        "expires_at": iso(key.expires_at),
        "overlap_ends_at": iso(key.overlap_ends_at),
        "last_used_at": iso(key.last_used_at),
        "revoked_at": iso(key.revoked_at),
        "revoked_reason": key.revoked_reason,
        "replaces": key.replaces_id,
        "replaced_by": replaced_by.pk if replaced_by else None,
    }


def server_json(server: McpServer) -> dict[str, Any]:
    """`server` as ServerSerializer describes it."""
    return {
        "id": server.pk,
        "name": server.name,
        "title": server.title,
        "url": server.url,
        "own": server.company_id is not None,
        "tools": server.tools,
        "created_at": iso(server.created_at),
    }
