"""MCP servers, their credentials, and keys."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from keys import labels
from portal.companies.models import Company
from portal.ids import new_id
from portal.prefixes import Folded

if TYPE_CHECKING:
    from portal.accounts.models import User


class McpServer(models.Model):
    """A resource that keys open. Staff register servers for everyone; a company can register its own, for itself."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    company = models.ForeignKey(
        Company, null=True, blank=True, on_delete=models.CASCADE, related_name="servers",
        help_text=_("Empty: open to every company."),
    )  # fmt: skip
    name = models.CharField(
        max_length=64,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_-]*$", _("Use lower-case letters, digits, - and _."))],
        help_text=_("How AI clients call it in their settings, such as growerp-system."),
    )
    title = models.CharField(max_length=120, blank=True)
    url = models.URLField(
        max_length=500,
        help_text=_("The address that AI clients use: its OAuth resource identifier."),
    )
    alternate_urls = models.JSONField(
        default=list,
        blank=True,
        help_text=_("Other addresses of the same server, accepted as its identifier too."),
    )
    # [{"name": "get_companies", "title": "…", "description": "…", "read_only": true}, …]
    tools = models.JSONField(default=list, blank=True)
    is_portal = models.BooleanField(
        default=False, help_text=_("The portal's own MCP server: its keys may read the portal's data API.")
    )
    stopped_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Emergency stop: every key is refused for this server since then.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "MCP server"
        ordering = ["name"]
        constraints = [
            # Per company: whether another company uses an address is none of anybody's business.
            models.UniqueConstraint(fields=["company", "url"], name="server_url_once_per_company"),
            models.UniqueConstraint(
                fields=["url"], condition=Q(company__isnull=True), name="server_url_once_for_everyone"
            ),
            models.UniqueConstraint(fields=["company", "name"], name="server_name_once_per_company"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(company__isnull=True), name="server_name_once_for_everyone"
            ),
            models.UniqueConstraint(fields=["is_portal"], condition=Q(is_portal=True), name="server_one_portal"),
        ]
        indexes = [
            models.Index(Folded("name"), name="server_name_begins"),
            models.Index(Folded("title"), name="server_title_begins"),
            models.Index(Folded("url"), name="server_url_begins"),
        ]

    def __str__(self) -> str:
        return self.title or self.name

    @property
    def tool_names(self) -> list[str]:
        """Names of the tools in the catalogue."""
        return [tool["name"] for tool in self.tools]

    @property
    def read_only_tools(self) -> frozenset[str]:
        """Names of the tools that change nothing."""
        return frozenset(tool["name"] for tool in self.tools if tool.get("read_only"))


class CredentialState(models.TextChoices):
    """`rotating`: replaced, its value still accepted until its overlap ends."""

    ACTIVE = "active", _("Active")
    ROTATING = "rotating", _("Rotating")
    EXPIRED = "expired", _("Expired")
    REVOKED = "revoked", _("Revoked")


class CredentialQuerySet(models.QuerySet[Any]):
    """Reads that every kind of credential shares. `now` is the moment that decides about expiry."""

    def usable(self, now: datetime | None = None) -> CredentialQuerySet:
        """Active or rotating."""
        now = now or timezone.now()
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=now),
            Q(overlap_ends_at__isnull=True) | Q(overlap_ends_at__gt=now),
            revoked_at__isnull=True,
        )

    def in_state(self, state: str, now: datetime | None = None) -> CredentialQuerySet:
        """Those whose `state` is `state` at `now`."""
        now = now or timezone.now()
        match CredentialState(state):
            case CredentialState.REVOKED:
                return self.filter(revoked_at__isnull=False)
            case CredentialState.EXPIRED:
                return self.filter(Q(expires_at__lte=now) | Q(overlap_ends_at__lte=now), revoked_at__isnull=True)
            case CredentialState.ROTATING:
                return self.usable(now).filter(overlap_ends_at__isnull=False)
            case _:
                return self.usable(now).filter(overlap_ends_at__isnull=True)


class Credential(models.Model):
    """One value of a token: what is stored of it, and its life.

    Rotation makes a new row and leaves the old one `rotating` until `overlap_ends_at`; `replaces` is unique, so a
    value can be rotated only once.
    """

    id = models.CharField(primary_key=True, max_length=12, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    pepper = models.CharField(max_length=16, editable=False)
    hint = models.CharField(max_length=32, editable=False, help_text=_("What pages show of the value."))
    name = models.CharField(_("name"), max_length=80)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    overlap_ends_at = models.DateTimeField(null=True, blank=True)
    replaces = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaced_by"
    )
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=300, blank=True)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    @property
    def ends_at(self) -> datetime | None:
        """When the value stops working by itself: its expiry or the end of its overlap, whichever is first."""
        return min((moment for moment in (self.expires_at, self.overlap_ends_at) if moment), default=None)

    @property
    def state(self) -> CredentialState:
        """Its state now."""
        if self.revoked_at:
            return CredentialState.REVOKED
        if self.ends_at and self.ends_at <= timezone.now():
            return CredentialState.EXPIRED
        return CredentialState.ROTATING if self.overlap_ends_at else CredentialState.ACTIVE

    @property
    def is_usable(self) -> bool:
        """Whether the value is accepted now, as far as it alone decides."""
        return self.state in {CredentialState.ACTIVE, CredentialState.ROTATING}


_lifetime_constraints: list[models.BaseConstraint] = [
    models.CheckConstraint(
        condition=Q(expires_at__isnull=True)
        | Q(overlap_ends_at__isnull=True)
        | Q(overlap_ends_at__lte=F("expires_at")),
        name="%(class)s_overlap_within_expiry",
    ),
]


class ServerCredential(Credential):
    """With this an MCP server calls the verify API, for its own keys only. Made by staff."""

    server = models.ForeignKey(McpServer, on_delete=models.CASCADE, related_name="credentials")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["-created_at"]
        constraints = _lifetime_constraints


class Key(Credential):
    """An API key of one company for one MCP server. It acts for `user`, within that member's rights."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="keys")
    server = models.ForeignKey(McpServer, on_delete=models.PROTECT, related_name="keys")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="keys")
    scopes = models.JSONField(default=list)
    allowed_ips = models.JSONField(default=list, blank=True, help_text=_("CIDR ranges; empty: any address."))
    # None: the limit of the company's plan.
    per_minute = models.PositiveIntegerField(null=True, blank=True)
    per_month = models.PositiveBigIntegerField(null=True, blank=True)
    # Set for keys made by GrowERP's sign-in by username and password: the client that signed in. One per user and
    # client is in force at a time.
    login_client = models.CharField(max_length=80, blank=True, editable=False)
    first_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    # As keys/labels.py writes it. With a default of the database's own: replicas of before the column make keys, too.
    label_text = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            *_lifetime_constraints,
            models.UniqueConstraint(
                fields=["user", "company", "login_client"],
                condition=~Q(login_client="") & Q(revoked_at__isnull=True),
                name="key_one_per_user_and_login_client",
            ),
        ]
        indexes = [
            models.Index(fields=["company", "-created_at", "id"], name="key_company_latest"),
            models.Index(fields=["user", "-created_at"], name="key_user_latest"),
            models.Index(fields=["server", "-created_at"], name="key_server_latest"),
            models.Index(fields=["-created_at", "id"], name="key_latest"),
            models.Index(Folded("name"), name="key_name_begins"),
            models.Index(fields=["expires_at"], name="key_expiring", condition=Q(revoked_at__isnull=True)),
            # Partial: with the rows that are not revoked in it, SQLite would choose it for "not revoked".
            models.Index(fields=["revoked_at"], name="key_revoked", condition=Q(revoked_at__isnull=False)),
            models.Index(fields=["company", "label_text"], name="key_labelled", condition=~Q(label_text="")),
        ]

    @property
    def labels(self) -> list[str]:
        """Its labels, in the order of the alphabet."""
        return labels.from_text(self.label_text)

    def may_be_managed_by(self, user: User, role_may_manage_any: bool, role_may_manage_own: bool) -> bool:
        """Whether a member may rotate or revoke it: managers any key, developers those that act for them."""
        return role_may_manage_any or (role_may_manage_own and self.user_id == user.pk)


class FeedHead(models.Model):
    """The last number of the invalidation feed: one row, locked while events are added."""

    number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.number)


class FeedEvent(models.Model):
    """Something that the verifiers of a server must forget."""

    number = models.PositiveBigIntegerField(primary_key=True)
    server_id = models.CharField(max_length=12)
    key_id = models.CharField(max_length=12, blank=True)
    company_id = models.CharField(max_length=12, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["server_id", "number"], name="feed_server_number"),
            models.Index(fields=["at"], name="feed_at"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.key_id or self.company_id or 'all'}"


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
        constraints = _lifetime_constraints
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


class NoticeKind(models.TextChoices):
    """What people are told of a key before it ends."""

    EXPIRES_IN_14_DAYS = "14d", _("expires in 14 days")
    EXPIRES_IN_3_DAYS = "3d", _("expires in 3 days")
    EXPIRED = "0d", _("has expired")
    OLD_VALUE_IN_USE = "overlap", _("its old value is still in use and ends soon")


class KeyNotice(models.Model):
    """A notice that was sent: each is sent once, however often its task runs."""

    key = models.ForeignKey(Key, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=8, choices=NoticeKind)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "kind"], name="key_notice_once")]

    def __str__(self) -> str:
        return f"{self.key_id} {self.kind}"
