"""Tasks of the portal itself."""

from __future__ import annotations

from celery import shared_task

from portal import health


@shared_task(ignore_result=True)
def heartbeat() -> None:
    """Note that beat, queue and worker all work: sent every few seconds, read by /healthz/ready."""
    health.note_heartbeat()
