"""Connections: access that AI clients got by OAuth. The protocol's own rows are django-oauth-toolkit's."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from keys.models import McpServer
from portal.companies.models import Company
from portal.ids import new_id
from portal.prefixes import Folded

if TYPE_CHECKING:
    from portal.accounts.models import User


class ConnectionState(models.TextChoices):
    """`expired`: the time that the person gave is over."""

    ACTIVE = "active", _("Active")
    EXPIRED = "expired", _("Expired")
    REVOKED = "revoked", _("Revoked")


class ConnectionQuerySet(models.QuerySet["Connection"]):
    """Reads of connections."""

    def usable(self, now: datetime | None = None) -> ConnectionQuerySet:
        """Neither revoked nor over."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now or timezone.now()), revoked_at=None)


class Connection(models.Model):
    """What a person approved: one AI client may use one MCP server for one of their companies, within `scopes`."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="connections")
    server = models.ForeignKey(McpServer, on_delete=models.PROTECT, related_name="connections")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="connections")
    # The client's registration may be cleaned up; what it was called stays.
    client = models.ForeignKey(
        settings.OAUTH2_PROVIDER_APPLICATION_MODEL, null=True, on_delete=models.SET_NULL, related_name="connections"
    )
    client_name = models.CharField(max_length=80)
    # The host that is proven to be the client's (of its metadata document), or "" when it only says who it is.
    client_host = models.CharField(max_length=255, blank=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    approved_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    first_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=300, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "company", "client", "server"],
                condition=Q(revoked_at__isnull=True),
                name="connection_one_in_force",
            )
        ]
        indexes = [
            models.Index(fields=["company", "-created_at", "id"], name="connection_company_latest"),
            models.Index(fields=["user", "-created_at"], name="connection_user_latest"),
            models.Index(fields=["-created_at", "id"], name="connection_latest"),
            models.Index(Folded("client_name"), name="connection_client_begins"),
            models.Index(Folded("client_host"), name="connection_host_begins"),
        ]

    def __str__(self) -> str:
        return self.client_name

    @property
    def state(self) -> ConnectionState:
        """Its state now."""
        if self.revoked_at:
            return ConnectionState.REVOKED
        if self.expires_at and self.expires_at <= timezone.now():
            return ConnectionState.EXPIRED
        return ConnectionState.ACTIVE

    @property
    def is_usable(self) -> bool:
        """Whether it lets the client in, as far as it alone decides."""
        return self.state == ConnectionState.ACTIVE

    @property
    def is_machine(self) -> bool:
        """Whether it is a program of the company that asks for itself, and no client that a person let in."""
        return hasattr(self, "machine")

    def may_be_managed_by(self, user: User, role_may_manage_any: bool, role_may_manage_own: bool) -> bool:
        """Whether a member may revoke it: managers any, everybody else their own."""
        return role_may_manage_any or (role_may_manage_own and self.user_id == user.pk)


class Approval(models.Model):
    """One time that the person said yes: the code that went out for it, and the family of tokens that came of it.

    It outlives the code, so that a code that comes a second time is known and its tokens can be ended (RFC 6749,
    section 4.1.2). Codes are kept as SHA-256 only.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="approvals")
    code_digest = models.CharField(max_length=64, unique=True, editable=False)
    token_family = models.UUIDField(null=True, unique=True, editable=False)
    redeemed_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"{self.connection_id} {self.created_at:%Y-%m-%d %H:%M}"


class AccessValue(models.Model):
    """What verification reads of an access token: as of a key, its id and its digest. Gone when the token is."""

    id = models.CharField(primary_key=True, max_length=12, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="values")
    access_token = models.OneToOneField(
        settings.OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL, on_delete=models.CASCADE, related_name="value"
    )
    digest = models.BinaryField(max_length=32, editable=False)
    pepper = models.CharField(max_length=16, editable=False)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"lk_oat_{self.id}_…"


class DeviceRequest(models.Model):
    """A client without a browser that waits until a person types its user code at /oauth/device (RFC 8628).

    The device code, for which tokens are given out, is kept as SHA-256 only; the user code opens nothing by itself.
    """

    code_digest = models.CharField(max_length=64, unique=True, editable=False)
    user_code = models.CharField(max_length=8, unique=True, editable=False)
    client = models.ForeignKey(
        settings.OAUTH2_PROVIDER_APPLICATION_MODEL, on_delete=models.CASCADE, related_name="device_requests"
    )
    server = models.ForeignKey(McpServer, on_delete=models.CASCADE, related_name="device_requests")
    scopes = models.JSONField(default=list)
    interval = models.PositiveSmallIntegerField(default=5)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    polled_at = models.DateTimeField(null=True, editable=False)
    # Set when the person has said yes: what the tokens will belong to.
    connection = models.ForeignKey(
        Connection, null=True, on_delete=models.CASCADE, editable=False, related_name="device_requests"
    )
    denied_at = models.DateTimeField(null=True, editable=False)
    redeemed_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"{self.user_code[:4]}-{self.user_code[4:]}"

    @property
    def is_waiting(self) -> bool:
        """Whether a person can still say yes or no."""
        return self.connection_id is None and self.denied_at is None and self.expires_at > timezone.now()


class Machine(models.Model):
    """A program of a company that gets tokens for itself (client credentials): the other half of its connection."""

    class Method(models.TextChoices):
        """How it proves who it is at the token endpoint."""

        SECRET = "secret", _("Client secret")
        KEY = "key", _("Private key (private_key_jwt)")

    connection = models.OneToOneField(Connection, primary_key=True, on_delete=models.CASCADE, related_name="machine")
    method = models.CharField(max_length=8, choices=Method)
    # The public half, as a JWK, if it proves who it is by a key of its own.
    public_key = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return str(self.connection)
