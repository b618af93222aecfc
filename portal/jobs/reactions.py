"""What Celery says of each task, written down. Nothing here may make a task fail."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Final

from celery import Task, current_app
from celery.signals import task_failure, task_postrun, task_prerun
from django.conf import settings
from django.db import DatabaseError

from portal.jobs import services

log = logging.getLogger(__name__)
# The heartbeat comes every few seconds: one row a time would be writing for nothing.
NOTED_EVERY: Final = 15.0
_began: dict[str, float] = {}
_noted: dict[str, float] = {}


@task_failure.connect(dispatch_uid="jobs.failed")
def failed(
    sender: Task,
    task_id: str = "",
    exception: BaseException | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    **_: Any,
) -> None:
    """A task failed and is not tried again: Celery says so after the last retry only."""
    error = exception or RuntimeError()
    try:
        letter = services.note_failure(
            task=sender.name,
            task_id=task_id,
            queue=_queue(sender.name),
            error=error,
            args=args or (),
            kwargs=kwargs or {},
            retries=getattr(sender.request, "retries", 0) or 0,
        )
    except DatabaseError:
        letter = None
    if letter is None:
        log.error("task %s (%s) failed for good and is not in the list of failures", sender.name, task_id)


@task_prerun.connect(dispatch_uid="jobs.began")
def began(sender: Task, task_id: str = "", **_: Any) -> None:
    """Note when a task of the schedule began."""
    if sender.name in regular_tasks():
        _began[task_id] = time.monotonic()


@task_postrun.connect(dispatch_uid="jobs.ended")
def ended(sender: Task, task_id: str = "", retval: Any = None, state: str | None = None, **_: Any) -> None:
    """Note when a task of the schedule ended, and how; of a frequent one that goes well only now and then."""
    if sender.name not in regular_tasks():
        return
    now = time.monotonic()
    duration = timedelta(seconds=now - _began.pop(task_id, now))
    error = type(retval).__name__ if isinstance(retval, BaseException) else ""
    if not error and now - _noted.get(sender.name, -NOTED_EVERY) < NOTED_EVERY:
        return
    try:
        services.note_run(task=sender.name, duration=duration, error=error)
    except DatabaseError:
        log.warning("the run of %s could not be noted", sender.name)
    else:
        # After a failure the next good run is written at once.
        _noted[sender.name] = -NOTED_EVERY if error else now


@cache
def regular_tasks() -> frozenset[str]:
    """The tasks of the beat schedule."""
    return frozenset(entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values())


def _queue(task: str) -> str:
    route = current_app.amqp.router.route({}, task)
    queue = route.get("queue")
    return str(getattr(queue, "name", queue) or settings.CELERY_TASK_DEFAULT_QUEUE)
