"""Keys, MCP servers and server credentials in Django's admin, to look at. No digest is shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from keys.models import Key, McpServer, ServerCredential
from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.staff.services import note_key_viewed
from portal.staff.site import ReadOnlyAdmin


@admin.register(McpServer)
class McpServerAdmin(ReadOnlyAdmin):
    """MCP servers; they change under /staff/."""

    list_display = ["name", "title", "url", "company", "is_portal", "stopped_at", "archived_at"]
    list_select_related = ["company"]
    search_fields = ["=id", "name", "title", "url"]
    fields = [
        "id", "company", "name", "title", "url", "alternate_urls", "tools", "is_portal", "stopped_at", "created_at",
        "archived_at",
    ]  # fmt: skip


class CredentialAdmin(ReadOnlyAdmin):
    """What every kind of credential shows of its life."""

    life = [
        "created_at", "expires_at", "overlap_ends_at", "replaces", "last_used_at", "revoked_at", "revoked_reason",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Without the digest: it is not even read."""
        return super().get_queryset(request).defer("digest")


@admin.register(ServerCredential)
class ServerCredentialAdmin(CredentialAdmin):
    """Server credentials."""

    list_display = ["name", "server", "hint", "state", "created_at", "last_used_at"]
    list_select_related = ["server"]
    search_fields = ["=id", "name"]
    fields = ["id", "name", "hint", "server", "created_by", *CredentialAdmin.life]


@admin.register(Key)
class KeyAdmin(CredentialAdmin):
    """Keys."""

    list_display = ["name", "hint", "company", "server", "state", "created_at", "last_used_at"]
    list_select_related = ["company", "server"]
    search_fields = ["id__exact", "company__id__exact", "user__id__exact"]
    fields = [
        "id", "name", "hint", "company", "server", "user", "scopes", "allowed_ips", "per_minute", "per_month",
        "login_client", "first_used_at", *CredentialAdmin.life,
    ]  # fmt: skip

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The key; its company reads that staff looked, as for the page under /staff/."""
        response = super().change_view(request, object_id, form_url, extra_context)
        key = Key.objects.select_related("company").defer("digest").filter(pk=object_id).first()
        if key is not None and response.status_code == 200:
            assert isinstance(request.user, User)
            note_key_viewed(key=key, actor=Actor.staff(request.user, request))
        return response
