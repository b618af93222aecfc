"""Attempts: what counts as success, when the next one is made, and when an endpoint is given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from keys.webhooks import delivery as deliveries
from keys.webhooks import endpoints, services, signing, sweep
from keys.webhooks.models import Delivery, DeliveryState, Endpoint, EventType, Failure, OffReason
from portal.audit.actors import SYSTEM
from portal.audit.models import AuditEvent
from portal.companies.models import Company
from tests.keys.webhooks.conftest import Internet, Receiver

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def delivery(endpoint: Endpoint) -> Delivery:
    """A test event for `endpoint`, not sent yet."""
    return services.send_test_event(endpoint=endpoint)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(delivery: Delivery, receiver: Receiver, status: int) -> None:
    receiver.status = status
    deliveries.attempt(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.DELIVERED
    assert (delivery.response_status, delivery.attempts, delivery.failure) == (status, 1, "")


@pytest.mark.parametrize(
    ("status", "failure"),
    [(302, Failure.REDIRECT), (400, Failure.STATUS), (429, Failure.STATUS), (500, Failure.STATUS)],
)
def test_anything_else_is_tried_again(
    delivery: Delivery, receiver: Receiver, status: int, failure: Failure
) -> None:  # fmt: skip
    receiver.status, receiver.headers = status, {"Location": receiver.url + "/elsewhere"}
    deliveries.attempt(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.failure) == (DeliveryState.PENDING, failure)
    assert delivery.next_attempt_at and delivery.next_attempt_at > timezone.now()
    assert len(receiver.got) == 1


def test_a_delivery_that_was_queued_twice_is_made_once(delivery: Delivery, receiver: Receiver) -> None:
    assert deliveries.attempt(delivery.pk)
    assert deliveries.attempt(delivery.pk) is None
    assert len(receiver.got) == 1


def test_an_attempt_under_way_is_not_made_by_another_worker(delivery: Delivery, receiver: Receiver) -> None:
    overlapping: list[Any] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(204)
        handler.end_headers()

    receiver.respond = respond
    real = deliveries.request

    def meanwhile(taken: Delivery) -> Any:
        overlapping.append(deliveries.attempt(taken.pk))
        return real(taken)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliveries, "request", meanwhile)
        deliveries.attempt(delivery.pk)
    assert overlapping == [None]
    assert len(receiver.got) == 1


def test_a_worker_that_died_leaves_its_delivery_to_another(delivery: Delivery, receiver: Receiver) -> None:
    with time_machine.travel(START) as clock, pytest.MonkeyPatch.context() as patch:
        Delivery.objects.update(next_attempt_at=START, queued_until=None)

        def die(_: Delivery) -> None:
            raise SystemExit

        patch.setattr(deliveries, "request", die)
        with pytest.raises(SystemExit):
            deliveries.attempt(delivery.pk)
        patch.undo()
        assert sweep.take_due() == []
        clock.shift(deliveries.LEASE + timedelta(seconds=1))
        assert sweep.take_due() == [delivery.pk]
        deliveries.attempt(delivery.pk)
    assert len(receiver.got) == 1


def _run_down(delivery: Delivery, clock: Any) -> list[timedelta]:
    """Make attempts, each when it is due, until the delivery is finished; the moments of the attempts."""
    begun = timezone.now()
    moments = []
    while True:
        deliveries.attempt(delivery.pk)
        moments.append(timezone.now() - begun)
        delivery.refresh_from_db()
        if delivery.next_attempt_at is None:
            return moments
        clock.move_to(delivery.next_attempt_at + timedelta(seconds=1))


def test_retries_back_off_for_a_day_and_then_it_has_failed(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.status = 500
    with time_machine.travel(START, tick=False) as clock:
        delivery = services.send_test_event(endpoint=endpoint)
        moments = _run_down(delivery, clock)
    assert len(moments) == len(receiver.got) == delivery.log.count() == 8
    waits = [later - earlier for earlier, later in pairwise(moments)]
    assert waits[0] < timedelta(seconds=8)
    assert timedelta(hours=6) < waits[-1] < timedelta(hours=8)
    assert timedelta(hours=19) < moments[-1] < timedelta(hours=24)
    assert delivery.state == DeliveryState.FAILED
    assert {request.headers["webhook-id"] for request in receiver.got} == {delivery.event_id}
    assert len({request.headers["webhook-timestamp"] for request in receiver.got}) == 8


def test_waits_are_spread() -> None:
    assert len({deliveries.wait_before(2) for _ in range(20)}) > 10


def test_one_event_given_up_does_not_switch_the_endpoint_off(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.status = 500
    with time_machine.travel(START, tick=False) as clock:
        _run_down(services.send_test_event(endpoint=endpoint), clock)
    endpoint.refresh_from_db()
    assert endpoint.is_enabled
    assert endpoint.is_failing
    assert endpoint.failures == 8


def test_an_endpoint_at_which_nothing_arrives_for_days_is_switched_off_and_its_owners_told_once(
    endpoint: Endpoint, receiver: Receiver, mailoutbox: list[Any]
) -> None:
    receiver.status = 500
    with time_machine.travel(START, tick=False) as clock:
        for _ in range(4):
            _run_down(services.send_test_event(endpoint=endpoint), clock)
        waiting = services.send_test_event(endpoint=endpoint) if Endpoint.objects.get().is_enabled else None
    assert waiting is None
    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, OffReason.FAILING)
    assert sweep.tell_owners() == 1
    assert sweep.tell_owners() == 0
    [mail] = mailoutbox
    assert mail.to == ["owner@example.com"]  # not the developer: who cannot manage webhooks is not bothered
    assert endpoint.url in mail.body
    assert f"/c/{endpoint.company.slug}/webhooks/{endpoint.pk}/" in mail.body
    event = AuditEvent.objects.get(action="webhook:disabled")
    assert (event.chain, event.target_id, event.data) == (endpoint.company_id, endpoint.pk, {"reason": "failing"})


def test_a_success_in_between_forgives(endpoint: Endpoint, receiver: Receiver) -> None:
    with time_machine.travel(START, tick=False) as clock:
        for status in (500, 500, 200, 500, 500):
            receiver.status = status
            _run_down(services.send_test_event(endpoint=endpoint), clock)
    endpoint.refresh_from_db()
    assert endpoint.is_enabled


def test_410_switches_off_at_once(endpoint: Endpoint, delivery: Delivery, receiver: Receiver) -> None:
    waiting = services.send_test_event(endpoint=endpoint)
    receiver.status = 410
    deliveries.attempt(delivery.pk)
    endpoint.refresh_from_db()
    assert endpoint.disabled_reason == OffReason.GONE
    assert Delivery.objects.filter(state=DeliveryState.PENDING).count() == 0
    waiting.refresh_from_db()
    assert waiting.failure == Failure.OFF
    assert deliveries.attempt(waiting.pk) is None


def test_mail_that_fails_is_sent_the_next_time(
    endpoint: Endpoint, settings: Any, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoints.disable_endpoint(endpoint=endpoint, actor=SYSTEM, reason=OffReason.GONE)
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "no.such.Backend"
    with pytest.raises(ImportError):
        sweep.tell_owners()
    settings.EMAIL_BACKEND = backend
    assert sweep.tell_owners() == 1
    assert len(mailoutbox) == 1


def test_a_member_who_switches_off_gets_no_mail(endpoint: Endpoint) -> None:
    endpoints.disable_endpoint(endpoint=endpoint, actor=SYSTEM)
    assert sweep.tell_owners() == 0


def test_the_log_keeps_a_kilobyte_without_control_characters_or_tokens(
    delivery: Delivery, receiver: Receiver, key_token: str
) -> None:
    receiver.body = b"\x1b[31m\x00" + key_token.encode() + b"\xff" + b"x" * 5000
    receiver.status = 200
    deliveries.attempt(delivery.pk)
    response = delivery.log.get().response
    assert "\x1b" not in response
    assert "\x00" not in response
    assert key_token not in response
    assert 900 < len(response) <= 1024


def test_a_receiver_that_is_down_is_unreachable(endpoint: Endpoint, delivery: Delivery) -> None:
    Endpoint.objects.update(url="http://127.0.0.1:1/hook")
    outcome = deliveries.attempt(delivery.pk)
    assert outcome and outcome.failure == Failure.UNREACHABLE


def test_production_sends_nothing_into_private_networks(internet: Internet, company: Company) -> None:
    endpoint, _ = endpoints.create_endpoint(url="https://hooks.example.com/", company=company, actor=SYSTEM)
    internet.answers["hooks.example.com"] = [["93.184.216.34"], ["10.0.0.7"]]
    first, second = services.send_test_event(endpoint=endpoint), services.send_test_event(endpoint=endpoint)
    assert deliveries.attempt(first.pk).succeeded
    outcome = deliveries.attempt(second.pk)
    assert outcome.failure == Failure.ADDRESS
    assert len(internet.receiver.got) == 1


def test_a_certificate_for_another_name_is_a_tls_failure(internet: Internet, company: Company) -> None:
    endpoint, _ = endpoints.create_endpoint(url="https://other.example.com/", company=company, actor=SYSTEM)
    internet.answers["other.example.com"] = [["93.184.216.34"]]
    outcome = deliveries.attempt(services.send_test_event(endpoint=endpoint).pk)
    assert outcome and outcome.failure == Failure.TLS


def test_an_address_that_production_forbids_is_not_used_though_development_took_it(
    endpoint: Endpoint, delivery: Delivery, receiver: Receiver, settings: Any
) -> None:
    settings.PRODUCTION = True
    outcome = deliveries.attempt(delivery.pk)
    assert outcome and outcome.failure == Failure.URL
    assert receiver.got == []


def test_after_a_rotation_both_secrets_verify_until_the_overlap_ends(
    endpoint: Endpoint, secret: str, receiver: Receiver
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        endpoint, new = endpoints.rotate_secret(endpoint=endpoint, overlap=timedelta(hours=1), actor=SYSTEM)
        deliveries.attempt(services.send_test_event(endpoint=endpoint).pk)
        assert receiver.got[0].verified(secret) == receiver.got[0].verified(new)
        clock.shift(timedelta(hours=1, seconds=1))
        deliveries.attempt(services.send_test_event(endpoint=endpoint).pk)
        assert receiver.got[1].verified(new)
        assert " " not in receiver.got[1].headers["webhook-signature"]
        from standardwebhooks import WebhookVerificationError

        with pytest.raises(WebhookVerificationError):
            receiver.got[1].verified(secret)


def test_rotating_without_overlap_ends_the_old_secret_at_once(endpoint: Endpoint) -> None:
    endpoint, _ = endpoints.rotate_secret(endpoint=endpoint, overlap=timedelta(0), actor=SYSTEM)
    assert endpoint.previous_secret == ""


def test_the_stored_secret_is_encrypted_and_outlives_a_new_secret_key(
    endpoint: Endpoint, secret: str, settings: Any
) -> None:
    assert secret not in endpoint.secret
    assert secret.removeprefix("whsec_") not in endpoint.secret
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-secret-key"
    assert signing.decrypt(endpoint.secret) == secret


def test_a_secret_that_cannot_be_read_fails_with_what_to_do(
    endpoint: Endpoint, delivery: Delivery, receiver: Receiver, settings: Any
) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-secret-key", []
    outcome = deliveries.attempt(delivery.pk)
    assert outcome and outcome.failure == Failure.SECRET
    assert receiver.got == []
    endpoint, new = endpoints.rotate_secret(endpoint=endpoint, actor=SYSTEM)
    deliveries.attempt(services.send_test_event(endpoint=endpoint).pk)
    assert receiver.got[0].verified(new)


def test_old_events_are_deleted_with_their_log(endpoint: Endpoint, company: Company) -> None:
    with time_machine.travel(START):
        deliveries.attempt(services.send_test_event(endpoint=endpoint).pk)
    with time_machine.travel(START + timedelta(days=29)):
        services.emit(EventType.KEY_REVOKED, company=company, data={})
    with time_machine.travel(START + timedelta(days=31)):
        assert sweep.purge() == 1
    assert [delivery.event.type for delivery in Delivery.objects.all()] == [EventType.KEY_REVOKED]
