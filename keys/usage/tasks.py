"""Celery tasks of usage."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from keys.usage import rankings, recounting, services


@shared_task(name="usage.write", autoretry_for=(Exception,), retry_backoff=True, retry_backoff_max=60, max_retries=None)
def write_usage(batch_id: str, batch: dict[str, Any]) -> bool:
    """Write one batch of the counter; written again, it counts nothing."""
    return services.write_batch(batch_id, batch)


@shared_task(name="usage.purge", replayable=True)
def purge_usage() -> int:
    """Forget usage that is older than the settings keep."""
    return services.purge()


@shared_task(name="usage.recount", replayable=True)
def recount_usage() -> int:
    """Count for companies what older code counted for keys alone."""
    return recounting.recount_missed()


@shared_task(name="usage.rank", replayable=True)
def rank_keys(company_id: str, days: int) -> bool:
    """Count which keys a company used most in the last `days` days."""
    return rankings.rank(company_id, days)
