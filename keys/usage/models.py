"""Counts of verdicts by hour and by day, and where keys were seen."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class UsageCount(models.Model):
    """How often a verdict was given in a period. Ids without foreign keys: counts outlive what they count."""

    period = models.DateTimeField(help_text="Beginning of the hour or day, UTC.")
    server_id = models.CharField(max_length=12)
    company_id = models.CharField(max_length=12, blank=True)
    key_id = models.CharField(max_length=12, blank=True)
    code = models.CharField(max_length=20)
    tool = models.CharField(max_length=128, blank=True)
    client = models.CharField(max_length=80, blank=True)
    count = models.PositiveBigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.period:%Y-%m-%d %H:%M} {self.key_id} {self.code} {self.count}"


_FIELDS = ["period", "server_id", "company_id", "key_id", "code", "tool", "client"]


class UsageHour(UsageCount):
    """Counts of one hour."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=_FIELDS, name="usage_hour_once")]
        indexes = [
            models.Index(fields=["key_id", "period"], name="usage_hour_key"),
            models.Index(fields=["company_id", "period"], name="usage_hour_company"),
        ]


class UsageDay(UsageCount):
    """Counts of one day."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=_FIELDS, name="usage_day_once")]
        indexes = [
            models.Index(fields=["key_id", "period"], name="usage_day_key"),
            models.Index(fields=["company_id", "period"], name="usage_day_company"),
        ]


class Sighting(models.Model):
    """An address and AI client that a key was used from, and the last thing it did there."""

    key_id = models.CharField(max_length=12)
    company_id = models.CharField(max_length=12)
    address = models.CharField(max_length=45, blank=True)
    client = models.CharField(max_length=80, blank=True)
    tool = models.CharField(max_length=128, blank=True)
    code = models.CharField(max_length=20)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key_id", "address", "client"], name="sighting_once")]
        indexes = [
            models.Index(fields=["company_id", "-last_at"], name="sighting_company_latest"),
            models.Index(fields=["address"], name="sighting_address"),
        ]

    def __str__(self) -> str:
        return f"{self.key_id} from {self.address}"


class UsageBatch(models.Model):
    """A batch that was written: written again, it counts nothing."""

    id = models.CharField(primary_key=True, max_length=64)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.id
