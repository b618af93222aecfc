"""The Celery application: mail, expiry, clean-up and everything else that no person should wait for."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, before_task_publish, celeryd_init, task_postrun, task_prerun
from kombu.entity import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from portal.logs import request_id

TRANSPORT_ALIASES["filesystem"] = "portal.file_queue:Transport"
TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "portal.redis_queue:Transport"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("latchkey")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# The header that carries the id of the request that sent a task, so that the worker's log lines can be found by it.
REQUEST_ID_HEADER = "latchkey_request_id"
_served: dict[str, Any] = {}


@app.on_after_configure.connect
def _name_queues(sender: Celery, **_: Any) -> None:
    """Have every worker take from every queue that a task is routed to, unless told otherwise by `--queues`."""
    routed = {route["queue"] for route in (sender.conf.task_routes or {}).values()}
    names = [sender.conf.task_default_queue, *sorted(routed - {sender.conf.task_default_queue})]
    sender.conf.task_queues = [Queue(name, Exchange(name), routing_key=name) for name in names]


@app.on_after_configure.connect
def _make_queue(sender: Celery, **_: Any) -> None:
    """Make the folders of the queue of files, for this user alone: Kombu would fail to write into a missing one."""
    options = sender.conf.broker_transport_options or {}
    if folder := options.get("data_folder_in"):
        Path(folder).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("data_folder_in", "data_folder_out", "control_folder"):
            Path(options[name]).mkdir(mode=0o700, exist_ok=True)


@celeryd_init.connect
@beat_init.connect
def _refuse_unsafe_production(**_: Any) -> None:
    """Do not start with settings that production must not have. A signal swallows all but SystemExit."""
    from django.core.exceptions import ImproperlyConfigured

    from portal.checks import refuse_unsafe_production

    try:
        refuse_unsafe_production()
    except ImproperlyConfigured as error:
        raise SystemExit(str(error)) from error


@before_task_publish.connect
def _send_request_id(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """Name the request that sends a task; a task that sends another passes on what it was given."""
    if headers is not None and request_id.get():
        headers[REQUEST_ID_HEADER] = request_id.get()


@task_prerun.connect
def _take_request_id(task_id: str = "", task: Any = None, **_: Any) -> None:
    """Log under the id of the request that sent the task; under the task's own if the schedule did."""
    if task is not None and not task.request.is_eager:
        given = getattr(task.request, REQUEST_ID_HEADER, None)
        _served[task_id] = request_id.set(str(given) if given else task_id)


@task_postrun.connect
def _leave_request_id(task_id: str = "", **_: Any) -> None:
    """The task is over. A thread may have changed in between: then nothing is to be put back."""
    if (token := _served.pop(task_id, None)) is not None:
        with suppress(ValueError):
            request_id.reset(token)
