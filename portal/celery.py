"""The Celery application: mail, expiry, clean-up and everything else that no person should wait for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init
from kombu.entity import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

TRANSPORT_ALIASES["filesystem"] = "portal.file_queue:Transport"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("latchkey")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


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
