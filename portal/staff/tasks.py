"""Tasks of the staff's room."""

from __future__ import annotations

from celery import shared_task

from portal.staff import figures
from portal.staff.models import RunState
from portal.staff.revocations import runs

REST = 0.25  # a fifth of the time goes to others: revoking takes minutes, verification milliseconds
SECONDS = 150  # below the time limit of tasks; then the rest is handed over anew


@shared_task(name="staff.revoke_by_rule", replayable=True)
def revoke_by_rule(run_id: str) -> None:
    """Go on with a run, and hand over what is left."""
    if runs.work(run_id, seconds=SECONDS, rest=REST) == RunState.RUNNING:
        revoke_by_rule.delay(run_id)


@shared_task(name="staff.continue_runs", replayable=True)
def continue_runs() -> int:
    """Go on with the runs whose worker died."""
    return runs.continue_all()


@shared_task(name="staff.count", replayable=True)
def count() -> list[str]:
    """Count what the dashboard shows of everything."""
    return figures.count_all()
