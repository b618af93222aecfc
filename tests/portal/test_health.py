from __future__ import annotations

import stat
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from celery import current_app
from django.conf import settings as configured
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import timezone

from portal import health, tasks


@pytest.fixture(autouse=True)
def _data(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    settings.REDIS_URL = ""


@pytest.fixture
def database_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: BaseDatabaseWrapper) -> None:
        raise OperationalError("could not connect to server 10.0.0.7: password of latchkey is hunter2")

    monkeypatch.setattr(BaseDatabaseWrapper, "_cursor", lambda self, name=None: refuse(self))


@pytest.mark.django_db
def test_all_is_well_when_the_database_answers_and_the_worker_was_seen(client: Client):
    tasks.heartbeat()
    for path in ("/healthz/", "/healthz/ready"):
        response = client.get(path)
        assert response.status_code == 200
        body = response.json()
        assert body["status"] == "ok"
        assert body["version"] == configured.VERSION
        assert body["components"] == {"database": "ok", "migrations": "ok", "worker": "ok", "jobs": "ok", "audit": "ok"}
        assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_without_a_worker_it_serves_but_says_so(client: Client):
    response = client.get("/healthz/ready")
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["components"]["worker"]) == ("degraded", "away")


@pytest.mark.django_db
def test_a_worker_that_was_not_seen_for_long_is_late(client: Client):
    tasks.heartbeat()
    with time_machine.travel(timezone.now() + timedelta(seconds=health.WORKER_LATE_AFTER + 1)):
        response = client.get("/healthz/ready")
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["components"]["worker"]) == ("degraded", "late")


@pytest.mark.django_db
def test_redis_away_is_slower_but_serves(client: Client, settings: Any):
    settings.REDIS_URL = "redis://:secret-word@127.0.0.1:1/0"
    began = time.monotonic()
    response = client.get("/healthz/ready")
    assert time.monotonic() - began < 3
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["components"]["redis"] == "away"
    assert "secret-word" not in response.content.decode()
    assert "127.0.0.1" not in response.content.decode()


@pytest.mark.django_db
def test_the_database_away_is_503_with_a_time_to_try_again(client: Client, database_away: None):
    response = client.get("/healthz/ready")
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response.json()["status"] == "failing"
    assert response.json()["components"]["database"] == "away"
    assert "hunter2" not in response.content.decode()


@pytest.mark.django_db
def test_the_process_lives_while_the_database_is_away(client: Client, database_away: None):
    response = client.get("/healthz/live")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_a_migration_to_be_applied_is_503(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "_applied", set())
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: [("keys", "0099_next")])
    response = client.get("/healthz/ready")
    assert response.status_code == 503
    assert response.json()["components"]["migrations"] == "pending"


@pytest.mark.django_db
def test_readiness_costs_four_queries(client: Client, django_assert_num_queries: Any):
    client.get("/healthz/ready")
    with django_assert_num_queries(4):
        client.get("/healthz/ready")


def test_liveness_asks_for_nothing_and_sets_no_cookie(client: Client):
    response = client.get("/healthz/live")  # no database mark: a query would fail the test
    assert not response.cookies


@pytest.mark.parametrize("path", ["/healthz/", "/healthz/ready", "/healthz/live"])
def test_health_only_answers_reading(client: Client, path: str):
    assert client.post(path).status_code == 405


def test_a_heartbeat_is_never_read_half_written(tmp_path: Path):
    health.note_heartbeat()
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            health.note_heartbeat()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        ages = [health.heartbeat_age() for _ in range(2000)]
    finally:
        stop.set()
        writer.join()
    assert None not in ages


def test_a_damaged_heartbeat_counts_as_none(tmp_path: Path):
    (tmp_path / "heartbeat").write_text("yesterday")
    assert health.heartbeat_age() is None


def test_beat_sends_the_heartbeat_to_the_application_that_the_worker_runs():
    entry = configured.CELERY_BEAT_SCHEDULE["heartbeat"]
    assert entry["task"] == tasks.heartbeat.name
    assert entry["task"] in current_app.tasks
    assert entry["schedule"] < health.WORKER_LATE_AFTER / 2


def test_a_worker_takes_from_every_queue_that_a_task_is_routed_to():
    from portal.celery import app

    routed = {route["queue"] for route in configured.CELERY_TASK_ROUTES.values()}
    assert routed
    assert set(app.amqp.queues) == {configured.CELERY_TASK_DEFAULT_QUEUE, *routed}


def test_the_file_queue_is_for_this_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from portal.celery import _make_queue, app

    queue = tmp_path / "data" / "queue"
    options = {name: str(queue / name) for name in ("data_folder_in", "data_folder_out", "control_folder")}
    monkeypatch.setitem(app.conf, "broker_transport_options", options)
    _make_queue(app)
    for folder in (queue, *(Path(path) for path in options.values())):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
