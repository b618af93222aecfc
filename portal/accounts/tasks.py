"""The task of this room."""

from __future__ import annotations

from celery import shared_task

from portal.accounts import sign_ins


@shared_task(name="accounts.purge", replayable=True)
def purge() -> int:
    """Forget old sign-ins."""
    return sign_ins.purge()
