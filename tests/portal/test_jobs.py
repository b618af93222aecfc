"""Background work: what failed for good is kept without anybody's data, seen by staff, and run again once."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.conf import settings as configured
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from portal.audit.models import AuditEvent
from portal.celery import app
from portal.jobs import reactions, selectors, services
from portal.jobs.models import DeadLetter, RegularRun
from tests.factories import make_user

pytestmark = pytest.mark.django_db
REVIEW = "tests.review"
TOKEN = "lk_test_8RkTq2XvBn4d_9f3KxWm2QpL7vTzR4sNbYc6HdJg1Ae5U0aB3xQ"
runs: list[tuple[str, ...]] = []
broken = {"is": True}


@app.task(name=REVIEW, replayable=True)
def review(*ids: str) -> None:
    """Fails as long as `broken` says so."""
    runs.append(ids)
    if broken["is"]:
        raise ValueError(
            "user 'Ada Lovelace' <ada@example.com> sent lk_test_8RkTq2XvBn4d_9f3KxWm2QpL7vTzR4sNbYc6HdJg1Ae5U0aB3xQ"
        )


@app.task(name="tests.import_people")
def import_people(*people: str) -> None:
    """Not replayable: its arguments are people."""
    raise KeyError("gone")


@app.task(name="tests.stubborn", bind=True, autoretry_for=(OSError,), max_retries=2, default_retry_delay=0)
def stubborn(self: Any) -> None:
    """Is tried three times at most."""
    raise OSError("receiver away")


@pytest.fixture(autouse=True)
def _fresh() -> None:
    runs.clear()
    reactions._noted.clear()
    broken["is"] = True


def fail(task: Any = review, *args: Any, **kwargs: Any) -> DeadLetter | None:
    task.apply(args=args, kwargs=kwargs, throw=False)
    return DeadLetter.objects.order_by("-failed_at").first()


def page(client: Client, **query: str) -> Any:
    return client.get(reverse("jobs:list"), query)


def test_a_task_that_fails_is_kept_with_its_ids_and_without_anybodys_data():
    letter = fail(review, "8RkTq2XvBn4d")
    assert letter is not None
    assert (letter.task, letter.error, letter.queue, letter.arguments) == (
        REVIEW, "ValueError", "latchkey", ["8RkTq2XvBn4d"]
    )  # fmt: skip
    assert letter.message == "user […] <[address]> sent lk_test_8RkTq2XvBn4d_[secret]"


def test_values_that_a_database_quotes_in_an_error_are_left_out():
    text = 'duplicate key value violates unique constraint "user_email"\nDETAIL:  Key (email)=(ada@example.com) exists.'
    assert services.without_data(text) == "duplicate key value violates unique constraint […] DETAIL: Key […] exists."


@pytest.mark.parametrize(
    ("task", "args", "kwargs"),
    [
        (import_people, ("8RkTq2XvBn4d",), {}),
        (review, ("ada@example.com",), {}),
        (review, ("Ada Lovelace",), {}),
        (review, (["8RkTq2XvBn4d"],), {}),
        (review, (7,), {}),
        (review, (), {"name": "Ada"}),
    ],
)
def test_arguments_that_are_no_ids_or_of_a_task_that_cannot_be_repeated_are_not_kept(task, args, kwargs):
    letter = fail(task, *args, **kwargs)
    assert letter.arguments is None
    assert not services.can_replay(letter)


def test_the_failure_after_the_last_retry_is_kept_with_the_number_of_retries():
    stubborn.apply(retries=2, throw=False)
    letter = DeadLetter.objects.get()
    assert (letter.error, letter.message, letter.retries) == ("OSError", "receiver away", 2)


def test_a_task_that_succeeds_leaves_nothing():
    broken["is"] = False
    assert fail(review, "8RkTq2XvBn4d") is None


def test_a_flood_of_one_task_does_not_fill_the_table_and_is_logged(monkeypatch):
    monkeypatch.setattr(services, "MOST_OPEN", 2)
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    reactions.log.addHandler(handler)
    for _ in range(4):
        fail(review)
    reactions.log.removeHandler(handler)
    assert DeadLetter.objects.count() == 2
    assert ["is not in the list of failures" in line for line in lines] == [True, True]


def test_staff_run_a_failed_task_again_with_the_same_ids_once(staff_client):
    letter = fail(review, "8RkTq2XvBn4d")
    broken["is"] = False
    runs.clear()
    for _ in range(2):
        staff_client.post(reverse("jobs:replay", args=[letter.pk]))
    assert runs == [("8RkTq2XvBn4d",)]
    letter.refresh_from_db()
    assert letter.outcome == "replayed"
    event = AuditEvent.objects.get(action="job:replayed")
    assert (event.actor_kind, event.target_id) == ("staff", letter.pk)


def test_a_failure_can_be_dismissed_and_is_then_only_on_the_whole_list(staff_client):
    letter = fail(import_people, "x")
    assert letter.task_id in page(staff_client).content.decode()
    staff_client.post(reverse("jobs:dismiss", args=[letter.pk]))
    assert letter.task_id not in page(staff_client).content.decode()
    assert letter.task_id in page(staff_client, show="all").content.decode()
    assert AuditEvent.objects.filter(action="job:dismissed").count() == 1


def test_what_cannot_be_repeated_has_no_button_and_is_refused(staff_client):
    letter = fail(import_people, "x")
    assert reverse("jobs:replay", args=[letter.pk]) not in page(staff_client).content.decode()
    response = staff_client.post(reverse("jobs:replay", args=[letter.pk]), follow=True)
    assert "cannot be run again" in response.content.decode()
    letter.refresh_from_db()
    assert letter.is_open


def test_with_the_broker_away_the_failure_stays_open_and_nothing_is_recorded(staff_client, monkeypatch):
    letter = fail(review, "8RkTq2XvBn4d")

    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(review, "apply_async", away)
    response = staff_client.post(reverse("jobs:replay", args=[letter.pk]), follow=True)
    assert "The queue is away" in response.content.decode()
    letter.refresh_from_db()
    assert letter.is_open
    assert not AuditEvent.objects.filter(action="job:replayed").exists()


def test_nobody_but_staff_sees_or_touches_jobs(owner_client, client):
    letter = fail(review, "8RkTq2XvBn4d")
    assert page(owner_client).status_code == 404
    assert page(client).status_code == 302
    for name in ("replay", "dismiss"):
        assert owner_client.post(reverse(f"jobs:{name}", args=[letter.pk])).status_code == 404
    letter.refresh_from_db()
    assert letter.is_open


def test_jobs_are_changed_by_post_only(staff_client):
    letter = fail(review, "8RkTq2XvBn4d")
    assert staff_client.get(reverse("jobs:replay", args=[letter.pk])).status_code == 405


def test_the_last_run_of_a_regular_task_is_noted_and_shown(staff_client):
    services.known_tasks()["keys.purge"].apply(throw=False)
    run = RegularRun.objects.get(task="keys.purge")
    assert (run.error, run.succeeded_at) == ("", run.finished_at)
    content = page(staff_client).content.decode()
    for entry in configured.CELERY_BEAT_SCHEDULE.values():
        assert entry["task"] in content
    assert "every 10 min" in content
    assert "every day at 03:50 UTC" in content
    assert "every hour at :35" in content


def test_a_failing_run_is_noted_at_once_and_keeps_when_it_last_went_well(monkeypatch):
    task = services.known_tasks()["keys.purge"]
    task.apply(throw=False)
    went_well = RegularRun.objects.get(task="keys.purge").succeeded_at

    def fail_now() -> int:
        raise RuntimeError("disk full")

    monkeypatch.setattr(task, "run", fail_now)
    task.apply(throw=False)
    run = RegularRun.objects.get(task="keys.purge")
    assert (run.error, run.succeeded_at) == ("RuntimeError", went_well)


def test_a_frequent_task_that_goes_well_is_not_written_each_time(django_assert_num_queries):
    task = services.known_tasks()["keys.purge"]
    task.apply(throw=False)
    with django_assert_num_queries(0):
        reactions.ended(sender=task, task_id="again", state="SUCCESS")


def test_health_says_that_a_failure_waits_and_that_a_regular_task_is_late(client):
    assert client.get("/healthz/ready").json()["components"]["jobs"] == "ok"
    letter = fail(review)
    response = client.get("/healthz/ready")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["components"]["jobs"] == "failed"
    DeadLetter.objects.filter(pk=letter.pk).update(outcome="dismissed", settled_at=timezone.now())
    services.note_run(task="keys.notices", duration=timedelta(0), now=timezone.now() - timedelta(hours=1))
    assert client.get("/healthz/ready").json()["components"]["jobs"] == "late"


def test_a_daily_task_is_not_late_before_its_second_day():
    now = datetime(2026, 5, 20, tzinfo=timezone.get_current_timezone())
    daily = next(regular for regular in selectors.regular_tasks() if regular.task == "usage.purge")
    run = RegularRun(task="usage.purge", finished_at=now, duration_ms=1)
    daily = selectors.Regular(daily.task, daily.often, daily.interval, run)
    assert not daily.is_late(now + timedelta(days=1, hours=1))
    assert daily.is_late(now + timedelta(days=2, hours=1))


def test_queues_are_counted_in_the_queue_of_files(tmp_path, settings):
    from celery import Celery

    folder = tmp_path / "messages"
    folder.mkdir()
    queues = Celery("counted", broker="filesystem://", set_as_current=False)
    queues.conf.broker_transport_options = {
        "data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(tmp_path / "control"),
    }  # fmt: skip
    (tmp_path / "control").mkdir()
    for queue in ("latchkey", "usage", "usage"):
        queues.send_task("any", queue=queue)
    with queues.connection_for_read() as connection, connection.channel() as channel:
        lengths = {name: selectors._length(channel, name) for name in ("latchkey", "usage", "mail")}
    assert lengths == {"latchkey": 1, "usage": 2, "mail": 0}


def test_with_the_broker_away_the_page_says_so(staff_client, monkeypatch):
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(current_app, "connection_for_read", away)
    content = page(staff_client).content.decode()
    assert "the queue is away" in content
    assert "Waiting in webhooks" in content


def test_every_task_of_ours_has_a_queue_a_time_limit_and_is_done_before_it_is_taken_off_the_queue():
    ours = [task for name, task in services.known_tasks().items() if not name.startswith(("celery.", "tests."))]
    queues = {queue.name for queue in app.conf.task_queues}
    assert {"latchkey", "mail", "usage", "webhooks"} <= queues
    assert len(ours) >= 9
    for task in ours:
        assert task.acks_late, task.name
        assert task.time_limit or app.conf.task_time_limit, task.name
        assert reactions._queue(task.name) in queues, task.name


def test_every_entry_of_the_schedule_is_a_task_that_exists():
    assert {entry["task"] for entry in configured.CELERY_BEAT_SCHEDULE.values()} <= set(services.known_tasks())


def test_every_regular_task_can_run_twice_and_says_so():
    for name in reactions.regular_tasks() - {"portal.tasks.heartbeat"}:
        assert services.known_tasks()[name].replayable, name


def test_old_failures_and_ended_sessions_are_forgotten(client):
    fail(review, "8RkTq2XvBn4d")
    old = fail(review, "other")
    DeadLetter.objects.filter(pk=old.pk).update(failed_at=timezone.now() - timedelta(days=31))
    client.force_login(make_user())
    Session.objects.create(session_key="ended", session_data="", expire_date=timezone.now() - timedelta(days=1))
    services.known_tasks()["jobs.purge"].apply(throw=False)
    assert [letter.arguments for letter in DeadLetter.objects.all()] == [["8RkTq2XvBn4d"]]
    assert Session.objects.count() == 1


def test_a_settled_failure_has_an_outcome():
    letter = fail(review)
    with pytest.raises(IntegrityError), transaction.atomic():
        DeadLetter.objects.filter(pk=letter.pk).update(settled_at=timezone.now())


@pytest.mark.slow
def test_the_page_costs_few_queries_however_much_failed(staff_client, django_assert_max_num_queries):
    page(staff_client)
    for number in range(30):
        fail(review, f"id{number}")
    with django_assert_max_num_queries(11):
        assert len(page(staff_client).context["failures"]) == 25


def test_the_dashboard_leads_to_what_failed(staff_client):
    assert "A task failed for good" not in staff_client.get(reverse("staff:dashboard")).content.decode()
    fail(review)
    assert "A task failed for good" in staff_client.get(reverse("staff:dashboard")).content.decode()
