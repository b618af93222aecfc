"""One id goes along: from the request through the queue into the worker's log lines."""

from __future__ import annotations

import json
import logging

import pytest
from celery import shared_task
from celery.app.task import Context
from celery.signals import before_task_publish, task_postrun, task_prerun

from portal.celery import REQUEST_ID_HEADER, app
from portal.logs import JsonFormatter, RedactTokens, request_id


@shared_task(name="tests.noop")
def noop() -> None:
    """Does nothing."""


def test_a_log_line_of_json_bears_the_id_and_no_secret():
    record = logging.LogRecord("x", logging.INFO, "f", 1, "key lk_live_%s_%s", ("a" * 12, "b" * 38), None)
    RedactTokens().filter(record)
    token = request_id.set("request-1234")
    try:
        line = json.loads(JsonFormatter().format(record))
    finally:
        request_id.reset(token)
    assert line["request_id"] == "request-1234"
    assert line["message"] == "key lk_live_aaaaaaaaaaaa_[secret]"
    assert {"at", "level", "logger"} <= set(line)


def test_a_task_is_sent_with_the_id_of_its_request():
    headers: dict = {}
    token = request_id.set("request-1234")
    try:
        before_task_publish.send(sender="x", headers=headers, body=())
    finally:
        request_id.reset(token)
    assert headers == {REQUEST_ID_HEADER: "request-1234"}
    before_task_publish.send(sender="x", headers=(nothing := {}), body=())
    assert nothing == {}


@pytest.mark.parametrize(("header", "named"), [("request-1234", "request-1234"), (None, "task-5678")])
def test_the_worker_logs_under_the_id_that_came_with_the_task_or_under_the_tasks_own(header, named):
    task = app.tasks["tests.noop"]
    task.push_request(**{"id": "task-5678", "is_eager": False} | ({REQUEST_ID_HEADER: header} if header else {}))
    try:
        assert isinstance(task.request, Context)
        task_prerun.send(sender=task, task_id="task-5678", task=task)
        assert request_id.get() == named
        task_postrun.send(sender=task, task_id="task-5678", task=task, state="SUCCESS")
        assert request_id.get() == ""
    finally:
        task.pop_request()


def test_a_message_really_carries_it():
    """Through Celery's own message, in memory, as a worker unpacks it."""
    app.conf.update(task_always_eager=False)
    token = request_id.set("request-1234")
    try:
        with app.connection_for_write("memory://") as connection:
            noop.apply_async(connection=connection)
            queue = connection.SimpleQueue(app.conf.task_default_queue)
            message = queue.get(timeout=2)
            message.ack()
            assert Context(message.headers).get(REQUEST_ID_HEADER) == "request-1234"
    finally:
        request_id.reset(token)
