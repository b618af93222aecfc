"""Celery tasks of keys."""

from __future__ import annotations

from datetime import timedelta
from smtplib import SMTPException

from celery import shared_task
from django.utils import timezone

from keys import alerts, feed, notices
from keys.models import IdempotentRequest

IDEMPOTENCY_KEPT = timedelta(days=2)


@shared_task(name="keys.notices", replayable=True)
def send_notices() -> int:
    """Tell people of keys that end, each once."""
    return notices.send_due()


@shared_task(
    name="keys.tell_holder",
    replayable=True,
    autoretry_for=(OSError, SMTPException),
    retry_backoff=10,
    retry_backoff_max=240,
    max_retries=8,
)
def tell_holder(*event_ids: str) -> None:
    """Mail the member to whose keys somebody else did what the audit events say."""
    alerts.send(event_ids)


@shared_task(name="keys.purge", replayable=True)
def purge() -> int:
    """Forget old feed events and idempotency keys."""
    old = IdempotentRequest.objects.filter(created_at__lt=timezone.now() - IDEMPOTENCY_KEPT)
    return feed.purge() + old.delete()[0]
