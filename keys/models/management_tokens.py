"""Management tokens, and what they made."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from keys.models.credentials import Credential, lifetime_constraints
from portal.companies.models import Company


class ManagementScope(models.TextChoices):
    """What a management token may do. Each asks for an act of its maker's role, at creation and at use."""

    KEYS_READ = "keys:read", _("See keys")
    KEYS_WRITE = "keys:write", _("Create, change, rotate and revoke keys")
    SERVERS_READ = "servers:read", _("See MCP servers")
    SERVERS_WRITE = "servers:write", _("Register MCP servers and make their credentials")
    USAGE_READ = "usage:read", _("See usage")
    AUDIT_READ = "audit:read", _("Read the audit record")


class ManagementToken(Credential):
    """A company's credential for the management API and the command line. Never opens an MCP server."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="management_tokens")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    scopes = models.JSONField(default=list)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = lifetime_constraints
        indexes = [models.Index(fields=["company", "-created_at"], name="token_company_latest")]


class IdempotentRequest(models.Model):
    """What a management token made with an `Idempotency-Key`: asked for again, nothing new is made."""

    token = models.ForeignKey(ManagementToken, on_delete=models.CASCADE, related_name="+")
    idempotency_key = models.CharField(max_length=128)
    fingerprint = models.CharField(max_length=64)
    resource_id = models.CharField(max_length=12)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "idempotency_key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.idempotency_key} → {self.resource_id}"
