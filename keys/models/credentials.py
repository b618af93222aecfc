"""What every kind of credential has: a value that is not stored, and a life."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


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


lifetime_constraints: list[models.BaseConstraint] = [
    models.CheckConstraint(
        condition=Q(expires_at__isnull=True)
        | Q(overlap_ends_at__isnull=True)
        | Q(overlap_ends_at__lte=F("expires_at")),
        name="%(class)s_overlap_within_expiry",
    ),
]
