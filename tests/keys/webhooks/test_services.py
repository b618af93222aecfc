"""Emitting: an outbox in the transaction of the act."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from keys.models import Key, McpServer
from keys.webhooks import endpoints, services, sweep
from keys.webhooks.errors import EndpointOff
from keys.webhooks.models import Delivery, DeliveryState, Endpoint, Event, EventType
from keys.webhooks.services import Emission, emit, emit_many
from portal.audit.actors import SYSTEM
from portal.celery import app
from portal.companies.models import Company
from tests.keys.webhooks.conftest import Receiver


@pytest.fixture
def _eager() -> Any:
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_a_mistake(transactional_db: None) -> None:
    with pytest.raises(RuntimeError, match="transaction of its act"):
        emit(EventType.KEY_REVOKED, company=None, data={})


def test_nobody_listening_costs_one_query_and_leaves_no_row(
    company: Company, django_assert_num_queries: Any
) -> None:  # fmt: skip
    with django_assert_num_queries(1):
        assert emit(EventType.KEY_REVOKED, company=company, data={}) is None
    assert not Event.objects.exists()


def test_an_event_goes_to_the_endpoints_that_asked_for_it(endpoint: Endpoint, company: Company) -> None:
    picky, _ = endpoints.create_endpoint(
        url="http://127.0.0.1:9/other", company=company, actor=SYSTEM, event_types=[EventType.KEY_EXPIRED]
    )
    emit(EventType.KEY_REVOKED, company=company, data={"a": 1})
    assert [delivery.endpoint for delivery in Delivery.objects.all()] == [endpoint]
    emit(EventType.KEY_EXPIRED, company=company, data={})
    assert picky.deliveries.count() == 1
    assert endpoint.deliveries.count() == 2


def test_another_companys_endpoint_is_told_nothing(endpoint: Endpoint, other_company: Company) -> None:
    emit(EventType.KEY_REVOKED, company=other_company, data={})
    emit(EventType.KEY_REVOKED, company=None, data={})
    assert not Delivery.objects.exists()


def test_a_servers_endpoint_hears_of_its_keys_alone(
    server: McpServer, company: Company, receiver: Receiver
) -> None:  # fmt: skip
    endpoint, _ = endpoints.create_endpoint(url=receiver.url, server=server, actor=SYSTEM)
    emit(EventType.KEY_REVOKED, company=company, data={})
    assert not Delivery.objects.exists()
    emit(EventType.KEY_REVOKED, company=company, data={}, servers=[server.pk])
    assert endpoint.deliveries.count() == 1


def test_an_endpoint_that_is_off_is_told_nothing(endpoint: Endpoint, company: Company) -> None:
    endpoints.disable_endpoint(endpoint=endpoint, actor=SYSTEM)
    assert emit(EventType.KEY_REVOKED, company=company, data={}) is None


def test_many_events_take_few_queries(
    endpoint: Endpoint, company: Company, other_company: Company, django_assert_max_num_queries: Any
) -> None:
    emissions = [Emission(company.pk, {"n": n}) for n in range(200)] + [Emission(other_company.pk, {})]
    with django_assert_max_num_queries(12):  # SQLite takes 999 values a statement
        events = emit_many(EventType.KEY_REVOKED, emissions)
    assert len(events) == endpoint.deliveries.count() == 200


def test_after_the_commit_the_event_is_delivered(
    _eager: None, endpoint: Endpoint, secret: str, company: Company, receiver: Receiver,
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    with django_capture_on_commit_callbacks(execute=True):
        event = emit(EventType.KEY_REVOKED, company=company, data={"key": {"id": "abc"}})
        assert receiver.got == []
    assert event is not None
    [request] = receiver.got
    assert request.verified(secret) == {
        "type": "key.revoked",
        "timestamp": event.created_at.isoformat().replace("+00:00", "Z"),
        "data": {"key": {"id": "abc"}},
    }
    assert request.headers["webhook-id"] == event.pk
    assert endpoint.deliveries.get().state == DeliveryState.DELIVERED


@pytest.mark.django_db(transaction=True)
def test_an_act_that_is_rolled_back_tells_nobody(transactional_db: None, endpoint: Endpoint, company: Company) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        emit(EventType.KEY_REVOKED, company=company, data={})
        raise ZeroDivisionError
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()


def test_with_the_broker_away_the_sweep_delivers(
    endpoint: Endpoint, company: Company, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kombu.exceptions import OperationalError

    from keys.webhooks.tasks import deliver

    def refuse(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(deliver, "apply_async", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        emit(EventType.KEY_REVOKED, company=company, data={})
    assert sweep.take_due() == []  # it is believed to wait in the queue
    Delivery.objects.update(queued_until=timezone.now() - timedelta(seconds=1))
    assert sweep.take_due() == [endpoint.deliveries.get().pk]
    assert sweep.take_due() == []


def test_the_sweep_takes_turns_between_endpoints(
    endpoint: Endpoint, company: Company, other_company: Company, receiver: Receiver
) -> None:
    other, _ = endpoints.create_endpoint(url=receiver.url, company=other_company, actor=SYSTEM)
    emit_many(EventType.KEY_REVOKED, [Emission(company.pk, {"n": n}) for n in range(50)])
    emit_many(EventType.KEY_REVOKED, [Emission(other_company.pk, {"n": n}) for n in range(25)])
    taken = Delivery.objects.filter(pk__in=sweep.take_due())
    assert taken.filter(endpoint=endpoint).count() == taken.filter(endpoint=other).count() == sweep.TURN


def test_what_is_said_of_a_key_holds_no_secret(key: Key, key_token: str, endpoint: Endpoint) -> None:
    data = services.key_data(key, reason=f"found {key_token} in a repository")
    event = emit(EventType.KEY_LEAKED, company=key.company, data=data)
    assert event is not None
    text = json.dumps(event.payload)
    assert key_token not in text
    assert key_token.rpartition("_")[2][:32] not in text
    assert key.hint.encode("ascii", "backslashreplace").decode() in text
    assert event.data["key"]["id"] == key.pk
    assert event.data["company_id"] == key.company_id


def test_a_test_event_goes_to_an_endpoint_that_asked_for_other_things(company: Company, receiver: Receiver) -> None:
    endpoint, _ = endpoints.create_endpoint(
        url=receiver.url, company=company, actor=SYSTEM, event_types=[EventType.KEY_EXPIRED]
    )
    assert services.send_test_event(endpoint=endpoint).event.type == "webhook.test"
    endpoints.disable_endpoint(endpoint=endpoint, actor=SYSTEM)
    with pytest.raises(EndpointOff):
        services.send_test_event(endpoint=endpoint)


def test_replaying_keeps_the_id_and_begins_a_new_run(endpoint: Endpoint) -> None:
    delivery = services.send_test_event(endpoint=endpoint)
    Delivery.objects.update(
        state=DeliveryState.FAILED, attempts=8, next_attempt_at=None, finished_at=timezone.now()
    )  # fmt: skip
    replayed = services.replay(delivery=delivery)
    assert (replayed.event_id, replayed.state, replayed.attempts) == (delivery.event_id, DeliveryState.PENDING, 0)
    assert replayed.finished_at is None


def test_replaying_all_that_failed_leaves_the_rest(endpoint: Endpoint) -> None:
    failed, pending = services.send_test_event(endpoint=endpoint), services.send_test_event(endpoint=endpoint)
    Delivery.objects.filter(pk=failed.pk).update(
        state=DeliveryState.FAILED, next_attempt_at=None, finished_at=timezone.now()
    )
    assert services.replay_failed(endpoint=endpoint) == 1
    assert endpoint.deliveries.filter(state=DeliveryState.PENDING).count() == 2
    assert pending.pk not in sweep.take_due()
