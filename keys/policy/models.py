"""A company's rules for its new keys. A company without a row has none of its own."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portal.companies.models import Company
from portal.companies.roles import Role

LONGEST_DAYS = 3652  # what keys/services.py allows anybody: ten years
DEFAULT_DAYS = 90


class KeyPolicy(models.Model):
    """What new keys of a company are like. Keys that exist stay as they are until they are rotated."""

    company = models.OneToOneField(Company, primary_key=True, on_delete=models.CASCADE, related_name="key_policy")
    # What the form of a new key offers first; None: no expiry.
    default_days = models.PositiveIntegerField(null=True, blank=True, default=DEFAULT_DAYS)
    # None: no maximum, and keys without expiry are allowed.
    longest_days = models.PositiveIntegerField(null=True, blank=True)
    makers = models.CharField(max_length=10, choices=Role, default=Role.DEVELOPER)
    allowed_ips = models.JSONField(default=list, blank=True)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "key policies"
        constraints = [
            models.CheckConstraint(
                condition=Q(makers__in=[Role.OWNER, Role.ADMIN, Role.DEVELOPER]), name="key_policy_makers_known"
            ),
            models.CheckConstraint(
                condition=Q(longest_days__isnull=True)
                | (Q(longest_days__gte=1, longest_days__lte=LONGEST_DAYS) & Q(default_days__lte=F("longest_days"))),
                name="key_policy_default_within_longest",
            ),
        ]

    def __str__(self) -> str:
        return f"Key policy of {self.company_id}"
