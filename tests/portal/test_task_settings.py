"""What the queue on Redis demands of tasks: a message that is held for longer than it is lent comes a second time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
# The settings as they are with Redis, and of each task: the longest wait before it is tried again, the longest run.
_ASK = """
import django, json
django.setup()
from django.conf import settings
from portal.celery import app
app.loader.import_default_modules()
ours = {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}
print(json.dumps({
    "options": settings.CELERY_BROKER_TRANSPORT_OPTIONS,
    "on_refused_writes": app.conf.broker_channel_error_retry,
    "waits": {name: max(getattr(task, "retry_backoff_max", 600) if getattr(task, "retry_backoff", False) else 0,
                        task.default_retry_delay if getattr(task, "autoretry_for", ()) else 0)
              for name, task in ours.items()},
    "runs": {name: task.time_limit or app.conf.task_time_limit for name, task in ours.items()},
}))
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> dict:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "LATCHKEY_DATA": str(tmp_path_factory.mktemp("tasks")),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'keys' / 'verifier'}",
    }
    done = subprocess.run([sys.executable, "-c", _ASK], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_no_task_waits_for_its_next_try_as_long_as_its_message_is_lent(asked: dict):
    """Two copies would be tried again then, and four after those: a database away for hours would fill the queue."""
    lent = asked["options"]["visibility_timeout"]
    assert asked["waits"]["usage.write"] > 0
    assert {name: wait for name, wait in asked["waits"].items() if wait >= lent} == {}


def test_no_task_runs_longer_than_its_message_is_lent(asked: dict):
    lent = asked["options"]["visibility_timeout"]
    assert {name: limit for name, limit in asked["runs"].items() if not limit or limit > lent} == {}


def test_what_a_killed_worker_held_is_looked_for_often(asked: dict):
    options = asked["options"]
    assert options["unacked_restore_interval"] * options["unacked_restore_throttle"] <= 10


def test_a_queue_that_refuses_to_write_ends_no_worker(asked: dict):
    """Shown with a real one: tests/keys/test_faults.py."""
    assert asked["on_refused_writes"] is True
