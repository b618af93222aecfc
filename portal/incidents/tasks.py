"""The task of this room."""

from __future__ import annotations

from celery import shared_task

from portal.incidents import notices


@shared_task(name="incidents.send_notices", replayable=True)
def send_notices() -> int:
    """Tell the owners who have to be told, and were not yet."""
    return notices.send_due()
