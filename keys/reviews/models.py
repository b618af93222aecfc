"""Access reviews: what a company's keys and connections were on the day, and who approved them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from portal.companies.models import Company
from portal.ids import new_id


class Review(models.Model):
    """One company's review of one month. Its rows are what was there when it was made, and are never changed.

    `rows`: [{kind, id, name, hint, user, server, scopes, created_at, last_used_at, expires_at, advice, why, tools}],
    ids and plain facts. Whom a key acts for is looked up when it is shown: an erased person's name is not kept here.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="reviews")
    month = models.DateField(help_text="The first day of its month.")
    rows = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    told_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-month", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["company", "month"], name="review_once_a_month"),
        ]
        indexes = [
            models.Index(fields=["-month", "-id"], name="review_latest"),
            models.Index(fields=["created_at"], name="review_open", condition=models.Q(approved_at__isnull=True)),
            models.Index(fields=["created_at"], name="review_to_tell", condition=models.Q(told_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.company_id} {self.month:%Y-%m}"

    @property
    def is_open(self) -> bool:
        """Whether no owner has approved it yet."""
        return self.approved_at is None
