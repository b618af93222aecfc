"""Celery tasks of reviews."""

from __future__ import annotations

from celery import shared_task

from keys.reviews import mails, making


@shared_task(name="reviews.make", replayable=True)
def make() -> int:
    """Make this month's reviews that are not made yet; hourly, so that whatever one run leaves the next one does."""
    return making.make_due()


@shared_task(name="reviews.tell", replayable=True)
def tell() -> int:
    """Mail owners of new reviews, and remind them."""
    return mails.tell_waiting()
