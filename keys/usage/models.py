"""Counts of verdicts by hour and by day, of each key and of each company, and where keys were seen."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Counted(models.Model):
    """How often a verdict was given in a period. Ids without foreign keys: counts outlive what they count."""

    period = models.DateTimeField(help_text="Beginning of the hour or day, UTC.")
    server_id = models.CharField(max_length=12)
    company_id = models.CharField(max_length=12, blank=True)
    code = models.CharField(max_length=20)
    tool = models.CharField(max_length=128, blank=True)
    client = models.CharField(max_length=80, blank=True)
    count = models.PositiveBigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.period:%Y-%m-%d %H:%M} {self.company_id} {self.code} {self.count}"


class UsageCount(Counted):
    """The same of one key."""

    key_id = models.CharField(max_length=12, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.period:%Y-%m-%d %H:%M} {self.key_id} {self.code} {self.count}"


_FIELDS = ["period", "server_id", "company_id", "key_id", "code", "tool", "client"]
_COMPANY_FIELDS = ["period", "server_id", "company_id", "code", "tool", "client"]


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


class RefusalDay(models.Model):
    """How often a key was refused on a day, for whatever reason: always the sum of UsageDay without VALID.

    What was let through is most, and an index of the rest alone is one that SQLite does not choose.
    """

    period = models.DateTimeField()
    company_id = models.CharField(max_length=12)
    key_id = models.CharField(max_length=12)
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["period", "company_id", "key_id"], name="refusal_day_once")]

    def __str__(self) -> str:
        return f"{self.period:%Y-%m-%d} {self.key_id} {self.count}"


class CompanyHour(Counted):
    """Counts of one hour of all keys of a company: as many rows as it has tools and clients, however many keys.

    Always the sum of UsageHour: written in the same transaction (keys/usage/services.py). Of no company: unknown keys.
    """

    class Meta:
        constraints = [models.UniqueConstraint(fields=_COMPANY_FIELDS, name="company_hour_once")]
        indexes = [models.Index(fields=["company_id", "period"], name="company_hour_company")]


class CompanyDay(Counted):
    """Counts of one day of all keys of a company: always the sum of UsageDay."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=_COMPANY_FIELDS, name="company_day_once")]
        indexes = [models.Index(fields=["company_id", "period"], name="company_day_company")]


class OutcomeHour(models.Model):
    """How often each outcome occurred in an hour at a company: what charts are drawn from, a row or two an hour.

    Always the sum of CompanyHour. Days of a time zone are added up from hours, and 90 of them have 2,160.
    """

    period = models.DateTimeField()
    company_id = models.CharField(max_length=12, blank=True)
    code = models.CharField(max_length=20)
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["period", "company_id", "code"], name="outcome_hour_once")]
        indexes = [models.Index(fields=["company_id", "period"], name="outcome_hour_company")]

    def __str__(self) -> str:
        return f"{self.period:%Y-%m-%d %H:%M} {self.company_id} {self.code} {self.count}"


class KeyRanking(models.Model):
    """The most used keys of a company in a span of days, as the worker counted them last (keys/usage/rankings.py)."""

    company_id = models.CharField(max_length=12)
    days = models.PositiveSmallIntegerField()
    rows = models.JSONField(default=list, help_text="[[key id, requests, refusals], …], the most used first.")
    asked_at = models.DateTimeField()
    counted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company_id", "days"], name="key_ranking_once")]

    def __str__(self) -> str:
        return f"{self.company_id}: {self.days} days"


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
    # Code of before there were counts by company writes none, and leaves this to the database (recounting.py).
    by_company = models.BooleanField(default=True, db_default=False)

    class Meta:
        indexes = [models.Index(fields=["at"], condition=models.Q(by_company=False), name="usage_batch_missed")]

    def __str__(self) -> str:
        return self.id
