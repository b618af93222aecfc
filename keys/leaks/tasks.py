"""Celery tasks of leaks."""

from __future__ import annotations

from celery import shared_task

from keys.leaks import mails


@shared_task(name="leaks.tell_owners", replayable=True)
def tell_owners() -> int:
    """Mail the owners of what leaked, each leak once; beat sends it too, so that nothing is lost with a broker."""
    return mails.tell_waiting()
