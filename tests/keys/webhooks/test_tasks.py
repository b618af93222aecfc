"""The queue, its schedule, and that nothing but ids goes through the broker."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from keys.webhooks import services
from keys.webhooks.models import DeliveryState, Endpoint, EventType
from keys.webhooks.tasks import deliver, hand_out
from portal.celery import app
from portal.companies.models import Company
from tests.keys.webhooks.conftest import Receiver

OURS = [name for name in app.tasks if name.startswith("webhooks.")]


def test_webhooks_have_a_queue_that_workers_take_from() -> None:
    assert sorted(OURS) == ["webhooks.deliver", "webhooks.purge", "webhooks.sweep", "webhooks.tell_owners"]
    assert "webhooks" in app.amqp.queues.consume_from
    for name in OURS:
        queue = "mail" if name == "webhooks.tell_owners" else "webhooks"  # a slow mail server holds up no webhook
        assert app.amqp.router.route({}, name)["queue"].name == queue
        assert app.tasks[name].acks_late


@pytest.mark.parametrize("name", ["webhooks.sweep", "webhooks.tell_owners", "webhooks.purge"])
def test_what_repeats_is_on_the_schedule(name: str) -> None:
    assert name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}


def test_the_broker_carries_the_id_alone(
    endpoint: Endpoint, company: Company, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(deliver, "apply_async", lambda *args, **options: sent.append((args, options)))
    with django_capture_on_commit_callbacks(execute=True):
        services.emit(EventType.KEY_REVOKED, company=company, data={"key": {"id": "abc"}})
    assert sent == [(((endpoint.deliveries.get().pk,),), {"retry": False})]


def test_the_sweep_sends_what_is_due(endpoint: Endpoint, receiver: Receiver) -> None:
    services.send_test_event(endpoint=endpoint)
    endpoint.deliveries.update(queued_until=None)
    app.conf.task_always_eager = True
    try:
        hand_out()
    finally:
        app.conf.task_always_eager = False
    assert endpoint.deliveries.get().state == DeliveryState.DELIVERED
    assert len(receiver.got) == 1
