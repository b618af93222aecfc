"""The tenant and its members."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.companies.roles import Role, may
from portal.ids import new_id


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
    """`pending` has confirmed no card yet; only `active` can make and use keys; `closed` is for good."""

    PENDING = "pending", _("Pending")
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")
    CLOSED = "closed", _("Closed")


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
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="companies")

    class Meta:
        verbose_name_plural = "companies"
        ordering = ["name"]
        indexes = [
            models.Index(fields=["state", "created_at"], name="company_state_created"),
            models.Index(fields=["name"], name="company_name"),
            models.Index(fields=["-created_at", "id"], name="company_latest"),
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
        """Whether this member may do `act` (portal/companies/roles.py)."""
        return may(self.role, act)
