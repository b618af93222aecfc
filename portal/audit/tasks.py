"""Celery tasks of the record."""

from __future__ import annotations

from celery import shared_task

from portal.audit import erasure, verifying


@shared_task(name="audit.verify", replayable=True)
def verify() -> int:
    """Verify the chains whose turn it is."""
    return verifying.verify_due()


@shared_task(name="audit.erase_old", replayable=True)
def erase_old() -> int:
    """Blank personal data that is older than the settings keep."""
    return erasure.erase_old()
