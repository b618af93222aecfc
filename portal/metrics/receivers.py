"""What Celery and the sign-in say of themselves, counted. Nothing here may make a task or a sign-in fail."""

from __future__ import annotations

import time
from typing import Any

from celery import Task
from celery.signals import task_postrun, task_prerun, worker_process_init, worker_ready
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.dispatch import receiver

from portal import metrics
from portal.metrics import listener, sharing

_began: dict[str, float] = {}
_OUTCOMES = {"SUCCESS": "ok", "RETRY": "retried", "IGNORED": "ok", "REJECTED": "retried"}


@receiver(user_login_failed, dispatch_uid="metrics.sign_in_failed")
def sign_in_failed(**_: Any) -> None:
    """A password or an account was wrong."""
    metrics.add("latchkey_sign_in_failures_total")


@receiver(user_logged_in, dispatch_uid="metrics.signed_in")
def signed_in(**_: Any) -> None:
    """Somebody signed in."""
    metrics.add("latchkey_sign_ins_total")


@task_prerun.connect(dispatch_uid="metrics.began")
def began(task_id: str = "", **_: Any) -> None:
    """A task begins."""
    _began[task_id] = time.perf_counter()


@task_postrun.connect(dispatch_uid="metrics.ended")
def ended(sender: Task, task_id: str = "", state: str | None = None, **_: Any) -> None:
    """A task ended, for now or for good."""
    seconds = time.perf_counter() - _began.pop(task_id, time.perf_counter())
    metrics.observe("latchkey_task_seconds", seconds, sender.name, _OUTCOMES.get(state or "", "failed"))


@worker_ready.connect(dispatch_uid="metrics.worker_ready")
def worker_is_ready(**_: Any) -> None:
    """The worker takes tasks: show its figures, and those of the processes that it forks."""
    sharing.share("worker")
    listener.listen()


@worker_process_init.connect(dispatch_uid="metrics.worker_process")
def worker_process(**_: Any) -> None:
    """A process that the worker forked: it counts for itself."""
    sharing.share("worker")
