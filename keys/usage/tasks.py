"""Celery tasks of usage."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from keys.usage import services


@shared_task(name="usage.write", autoretry_for=(Exception,), retry_backoff=True, retry_backoff_max=60, max_retries=None)
def write_usage(batch_id: str, batch: dict[str, Any]) -> bool:
    """Write one batch of the counter; written again, it counts nothing."""
    return services.write_batch(batch_id, batch)


@shared_task(name="usage.purge", replayable=True)
def purge_usage() -> int:
    """Forget usage that is older than the settings keep."""
    return services.purge()
