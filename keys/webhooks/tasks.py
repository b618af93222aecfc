"""Tasks of the queue `webhooks`. Each carries ids only and can be repeated at any time."""

from __future__ import annotations

from celery import shared_task

from keys.webhooks import delivery, services, sweep


@shared_task(name="webhooks.deliver", replayable=True, soft_time_limit=60, time_limit=75)
def deliver(delivery_id: str) -> None:
    """Make one attempt of a delivery, if it is due."""
    delivery.attempt(delivery_id)


@shared_task(name="webhooks.sweep", replayable=True, soft_time_limit=60, time_limit=75)
def hand_out() -> None:
    """Queue what is due: retries, and whatever the broker lost or never got."""
    services.enqueue(sweep.take_due())


@shared_task(name="webhooks.tell_owners", replayable=True)
def tell_owners() -> None:
    """Mail those whose endpoints Latchkey switched off."""
    sweep.tell_owners()


@shared_task(name="webhooks.purge", replayable=True)
def purge() -> None:
    """Delete events past their time."""
    sweep.purge()
