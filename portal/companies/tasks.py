"""Tasks of companies. Each carries ids only and can be repeated at any time."""

from __future__ import annotations

from celery import shared_task

from portal.companies import closing, exports


@shared_task(name="companies.export", replayable=True)
def export(export_id: str) -> None:
    """Make the file of an export, if it still waits for it."""
    exports.make_export(export_id)


@shared_task(name="companies.tidy", replayable=True)
def tidy() -> int:
    """Delete old exports, queue lost ones again, and end companies whose time to come back is over."""
    return exports.tidy() + closing.finalise_due()
