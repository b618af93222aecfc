"""The record in Django's admin, to look at."""

from __future__ import annotations

from django.contrib import admin

from portal.audit.models import AuditChain, AuditEvent
from portal.staff.site import ReadOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Events. The database refuses to change them, whoever asks."""

    list_display = ["at", "chain", "number", "action", "actor_label", "target_label"]
    list_filter = ["actor_kind"]
    search_fields = ["=chain", "=action", "=target_id", "=request_id", "=incident_id"]
    ordering = ["-id"]
    fields = [
        "chain", "number", "at", "action", "actor_kind", "actor_id", "actor_label", "target_kind", "target_id",
        "target_label", "reason", "data", "ip", "user_agent", "request_id", "incident_id", "previous_hash", "hash",
    ]  # fmt: skip


@admin.register(AuditChain)
class AuditChainAdmin(ReadOnlyAdmin):
    """The ends of the chains."""

    list_display = ["name", "length", "verified_at", "fault"]
    search_fields = ["=name"]
    ordering = ["name"]
    fields = ["name", "length", "head", "verified_at", "verified_number", "fault", "fault_at"]
