"""The task of this room."""

from __future__ import annotations

from celery import shared_task

from portal.jobs import services


@shared_task(name="jobs.purge", replayable=True)
def purge() -> int:
    """Forget old failures and sessions that ended."""
    return services.purge()
