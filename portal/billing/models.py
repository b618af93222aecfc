"""Card confirmations."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from portal.companies.models import Company


class CardConfirmation(models.Model):
    """A card that the gateway verified; nothing was charged. Number and CVC exist nowhere."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="cards")
    gateway = models.CharField(max_length=40)
    gateway_token = models.CharField(max_length=120)
    brand = models.CharField(max_length=20)
    last_four = models.CharField(max_length=4)
    expiry_month = models.PositiveSmallIntegerField()
    expiry_year = models.PositiveSmallIntegerField()
    cardholder = models.CharField(max_length=120)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    confirmed_at = models.DateTimeField(default=timezone.now, editable=False)
    replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-confirmed_at"]
        constraints = [
            # Two confirmations at the same moment: the second one fails here and finds the first.
            models.UniqueConstraint(
                fields=["company"], condition=models.Q(replaced_at__isnull=True), name="card_one_in_force_per_company"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} •••• {self.last_four}"
