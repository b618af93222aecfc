"""The invalidation feed: keys/feed.py writes it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


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
