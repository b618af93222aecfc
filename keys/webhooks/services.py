"""Telling endpoints what happened: events are written in the transaction of the act itself, and sent afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from keys.models import Key
from keys.webhooks.errors import EndpointOff
from keys.webhooks.models import TEST_EVENT, Delivery, DeliveryState, Endpoint, Event
from portal.companies.models import Company
from portal.logs import redact

logger = logging.getLogger(__name__)

# More deliveries of one act than this are left to the sweep, which takes turns between endpoints.
QUEUED_AT_ONCE = 20
# How long the sweep lets a delivery wait in the queue before it hands it out again.
QUEUE_PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Emission:
    """What to tell: `data` to the endpoints of the company (its id) and of the servers (their ids)."""

    company_id: str | None
    data: dict[str, Any]
    servers: Sequence[str] = field(default=())


def emit(
    event_type: str, *, company: Company | str | None, data: dict[str, Any], servers: Iterable[str] = ()
) -> Event | None:
    """Tell the endpoints of `company` and of `servers` (ids) that `event_type` happened; see `emit_many`.

    Returns the event, or None when no endpoint asked for it.
    """
    company_id = company.pk if isinstance(company, Company) else company
    return next(iter(emit_many(event_type, [Emission(company_id, data, tuple(servers))])), None)


def emit_many(event_type: str, emissions: Iterable[Emission]) -> list[Event]:
    """Write one event for each of `emissions` that an endpoint asked for, and its deliveries: an outbox.

    Raises RuntimeError outside a transaction: an act and what is told of it stand or fall together. After the commit
    the deliveries are queued; with the broker away, the sweep finds them. One query when nobody asked; texts in `data`
    that look like tokens lose their secret part.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"The event {event_type} must be emitted in the transaction of its act.")
    emissions = list(emissions)
    companies = {emission.company_id for emission in emissions if emission.company_id}
    servers = {server for emission in emissions for server in emission.servers}
    listening = Endpoint.objects.filter(Q(company__in=companies) | Q(server__in=servers), disabled_at__isnull=True)
    endpoints = [endpoint for endpoint in listening if endpoint.wants(event_type)]
    events, deliveries = [], []
    for emission in emissions:
        hearers = [
            endpoint
            for endpoint in endpoints
            if endpoint.server_id in emission.servers
            or (endpoint.company_id and endpoint.company_id == emission.company_id)
        ]
        if hearers:
            event = Event(type=event_type, company_id=emission.company_id, data=_without_secrets(emission.data))
            events.append(event)
            deliveries += [_delivery(event, endpoint) for endpoint in hearers]
    Event.objects.bulk_create(events, batch_size=500)
    Delivery.objects.bulk_create(deliveries, batch_size=500)
    _queue_after_commit([delivery.pk for delivery in deliveries])
    return events


def key_data(key: Key, **more: Any) -> dict[str, Any]:
    """What events say of a key: its id, name, hint and terms, never its value; `more` is added."""
    return {
        "key": {
            "id": key.pk,
            "name": key.name,
            "hint": key.hint,
            "state": str(key.state),
            "server_id": key.server_id,
            "user_id": key.user_id,
            "scopes": key.scopes,
            "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        },
        "company_id": key.company_id,
        **more,
    }


@transaction.atomic
def send_test_event(*, endpoint: Endpoint) -> Delivery:
    """Send `webhook.test` to `endpoint`, whatever it asked for. Raises EndpointOff."""
    _check_on(endpoint)
    data = {"endpoint_id": endpoint.pk, "message": "This is a test event from Latchkey."}
    event = Event.objects.create(type=TEST_EVENT, company_id=endpoint.company_id, data=data)
    delivery = _delivery(event, endpoint)
    delivery.save(force_insert=True)
    _queue_after_commit([delivery.pk])
    return delivery


@transaction.atomic
def replay(*, delivery: Delivery) -> Delivery:
    """Send the event of `delivery` once more, now, with a new run of retries and the same `webhook-id`.

    One that is still pending is tried at once instead. Raises EndpointOff.
    """
    delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
    _check_on(delivery.endpoint)
    now = timezone.now()
    if delivery.state != DeliveryState.PENDING:
        delivery.state, delivery.attempts, delivery.finished_at = DeliveryState.PENDING, 0, None
    delivery.next_attempt_at, delivery.queued_until = now, now + QUEUE_PATIENCE
    delivery.save(update_fields=["state", "attempts", "finished_at", "next_attempt_at", "queued_until"])
    _queue_after_commit([delivery.pk])
    return delivery


@transaction.atomic
def replay_failed(*, endpoint: Endpoint) -> int:
    """Send every failed event of `endpoint` that is still kept once more; returns how many. Raises EndpointOff."""
    _check_on(endpoint)
    return endpoint.deliveries.filter(state=DeliveryState.FAILED).update(
        state=DeliveryState.PENDING, attempts=0, finished_at=None, next_attempt_at=timezone.now(), queued_until=None
    )


def _check_on(endpoint: Endpoint) -> None:
    if not Endpoint.objects.filter(pk=endpoint.pk, disabled_at__isnull=True).exists():
        raise EndpointOff


def _delivery(event: Event, endpoint: Endpoint) -> Delivery:
    now = timezone.now()
    return Delivery(
        event=event, endpoint=endpoint, created_at=now, next_attempt_at=now, queued_until=now + QUEUE_PATIENCE
    )


def _queue_after_commit(delivery_ids: list[str]) -> None:
    if len(delivery_ids) > QUEUED_AT_ONCE:
        Delivery.objects.filter(pk__in=delivery_ids).update(queued_until=None)
    elif delivery_ids:
        transaction.on_commit(partial(enqueue, delivery_ids), robust=True)


def enqueue(delivery_ids: Iterable[str]) -> None:
    """Hand deliveries to the workers. With the broker away nothing is lost: the sweep hands them out again."""
    from keys.webhooks.tasks import deliver  # the tasks know the services, not the other way round

    try:
        for delivery_id in delivery_ids:
            deliver.apply_async((delivery_id,), retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("Webhook deliveries wait for the broker: %s", error)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: _without_secrets(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    return value
