"""Keys, and what people are told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from keys import labels
from keys.models.credentials import Credential, lifetime_constraints
from keys.models.servers import McpServer
from portal.companies.models import Company
from portal.prefixes import Folded

if TYPE_CHECKING:
    from portal.accounts.models import User


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
            *lifetime_constraints,
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
