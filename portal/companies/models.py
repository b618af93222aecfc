"""The tenant and its members."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.companies.roles import Role, may_in
from portal.ids import new_id
from portal.prefixes import Folded


class Currency(models.TextChoices):
    """Currencies that a company can keep its figures in (ISO 4217)."""

    USD = "USD", _("US dollar")
    EUR = "EUR", _("Euro")
    GBP = "GBP", _("Pound sterling")
    AUD = "AUD", _("Australian dollar")
    CAD = "CAD", _("Canadian dollar")
    CHF = "CHF", _("Swiss franc")
    INR = "INR", _("Indian rupee")
    JPY = "JPY", _("Japanese yen")
    THB = "THB", _("Thai baht")


class CompanyState(models.TextChoices):
    """`pending` has confirmed no card yet; only `active` can make and use keys; `closed` can come back for 14 days."""

    PENDING = "pending", _("Pending")
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")
    CLOSED = "closed", _("Closed")


# How long an owner can reopen a company that was closed; what happens then: portal/companies/closing.py.
REOPENABLE = timedelta(days=14)


class Company(models.Model):
    """A tenant: everything that a member sees belongs to one company."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    name = models.CharField(_("company name"), max_length=120)
    slug = models.SlugField(max_length=64, unique=True)
    state = models.CharField(max_length=10, choices=CompanyState, default=CompanyState.PENDING)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency, default=Currency.USD)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    plan = models.CharField(max_length=20, default="standard")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    activated_at = models.DateTimeField(null=True, blank=True)
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspended_reason = models.CharField(max_length=300, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    finalised_at = models.DateTimeField(null=True, blank=True, editable=False)
    require_second_factor = models.BooleanField(
        default=False,
        db_default=False,  # the release before does not name this column
        help_text=_("Members without a second factor have to set one up before they see its pages."),
    )
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="companies")

    class Meta:
        verbose_name_plural = "companies"
        ordering = ["name"]
        indexes = [
            models.Index(fields=["state", "-created_at", "id"], name="company_state_latest"),
            models.Index(fields=["name", "id"], name="company_by_name"),
            models.Index(Folded("name"), name="company_name_begins"),
            models.Index(fields=["-created_at", "id"], name="company_latest"),
            models.Index(
                fields=["closed_at"],
                name="company_to_finalise",
                condition=Q(closed_at__isnull=False, finalised_at__isnull=True),
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=CompanyState.values), name="company_state_known"),
            models.CheckConstraint(
                condition=Q(state="pending") | Q(state="closed") | Q(activated_at__isnull=False),
                name="company_active_only_once_confirmed",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        """Whether its keys can be made and used."""
        return self.state == CompanyState.ACTIVE

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone; UTC if this machine does not know it."""
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    @property
    def reopenable_until(self) -> datetime | None:
        """Until when an owner can open it again; None unless it is closed and that moment is still to come."""
        if self.state != CompanyState.CLOSED or self.closed_at is None or self.finalised_at:
            return None
        until = self.closed_at + REOPENABLE
        return until if until > timezone.now() else None


class Membership(models.Model):
    """A user in a company, with a role."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "user"], name="membership_once_per_company"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.company} ({self.role})"

    def may(self, act: str) -> bool:
        """Whether this member may do `act` in this company (portal/companies/roles.py)."""
        return may_in(self.company, self.role, act)


class InvitationState(models.TextChoices):
    """`open` until it is accepted or withdrawn, or its seven days are over."""

    OPEN = "open", _("Open")
    ACCEPTED = "accepted", _("Accepted")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Expired")


class Invitation(models.Model):
    """Somebody asked by mail to join a company. Of the token in that mail only a hash is stored."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail address"))
    role = models.CharField(max_length=10, choices=Role)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "email"],
                condition=Q(accepted_at__isnull=True, withdrawn_at__isnull=True),
                name="invitation_one_open_per_address",
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="invitation_role_known"),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True) | Q(withdrawn_at__isnull=True),
                name="invitation_accepted_or_withdrawn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.company_id} ({self.role})"

    @property
    def state(self) -> InvitationState:
        """Its state now."""
        if self.accepted_at:
            return InvitationState.ACCEPTED
        if self.withdrawn_at:
            return InvitationState.WITHDRAWN
        return InvitationState.EXPIRED if self.expires_at <= timezone.now() else InvitationState.OPEN

    @staticmethod
    def digest_of(token: str) -> str:
        """What is stored of the token in the mail: it has 256 random bits, so a plain hash cannot be turned back."""
        return hashlib.sha256(token.encode()).hexdigest()


class ExportState(models.TextChoices):
    """`waiting` for its task; `ready` to be downloaded; `failed`: ask for another one."""

    WAITING = "waiting", _("Being made")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")


class CompanyExport(models.Model):
    """A company's data as a file. It lies in the database: web and worker may be on different machines."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="exports")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now, editable=False)
    state = models.CharField(max_length=8, choices=ExportState, default=ExportState.WAITING)
    size = models.PositiveBigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-requested_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["company"], condition=Q(state="waiting"), name="export_one_at_a_time_per_company"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.company_id} {self.requested_at:%Y-%m-%d} ({self.state})"


class ExportPart(models.Model):
    """A piece of an export's file."""

    export = models.ForeignKey(CompanyExport, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="export_part_once")]

    def __str__(self) -> str:
        return f"{self.export_id} {self.number}"
