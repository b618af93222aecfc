"""Making one attempt, and what follows from its outcome: success, another try, giving up, switching off."""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import dataclass
from datetime import timedelta

import httpcore
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from keys.webhooks import endpoints, outgoing, signing
from keys.webhooks.errors import AddressUnusable
from keys.webhooks.models import Attempt, Delivery, DeliveryState, Endpoint, Failure, OffReason
from portal import metrics
from portal.audit.actors import SYSTEM
from portal.logs import redact

# Waits between attempts, as Standard Webhooks proposes, ended after a day; each is varied by a tenth either way, so
# that receivers which were down together are not all asked again together.
BACK_OFF = [
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=7),
    timedelta(hours=7),
]
JITTER = 0.1
# Longer than an attempt can last: a worker that died leaves its delivery to another one after that.
LEASE = timedelta(seconds=90)
# An endpoint at which an event was given up, and at which nothing has arrived for so long, is switched off.
PATIENCE = timedelta(days=3)
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\u00a0-\uffff]")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one request brought: a status, or the reason why there is none."""

    status: int | None
    failure: Failure | None
    response: str
    duration_ms: int

    @property
    def succeeded(self) -> bool:
        """Whether the receiver took the event."""
        return self.failure is None


def attempt(delivery_id: str) -> Outcome | None:
    """Make one attempt of the delivery, if it is pending and due, and nobody else is at it; else do nothing.

    Safe to call at any time and any number of times. The request is made outside of any transaction.
    """
    now = timezone.now()
    taken = Delivery.objects.filter(
        pk=delivery_id, state=DeliveryState.PENDING, next_attempt_at__lte=now, endpoint__disabled_at__isnull=True
    ).update(next_attempt_at=now + LEASE)
    if not taken:
        return None
    delivery = Delivery.objects.select_related("event", "endpoint").get(pk=delivery_id)
    outcome = request(delivery)
    metrics.add("latchkey_webhook_attempts_total", outcome.failure.value if outcome.failure else "delivered")
    _settle(delivery, outcome)
    return outcome


def request(delivery: Delivery) -> Outcome:
    """Send the event to the endpoint, signed. Never raises for what the receiver or the network does."""
    started = time.monotonic()
    status, failure, response = None, None, ""
    body = json.dumps(delivery.event.payload, separators=(",", ":"), ensure_ascii=False)
    try:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Latchkey/{settings.VERSION}",
            **signing.signed_headers(delivery.endpoint, delivery.event_id, body),
        }
        answer = outgoing.send(
            "POST",
            delivery.endpoint.url,
            headers=headers,
            content=body.encode(),
            private_allowed=not settings.PRODUCTION,
        )
    except signing.SecretUnreadable:
        failure = Failure.SECRET
    except AddressUnusable:
        failure = Failure.URL
    except outgoing.AddressRefused:
        failure = Failure.ADDRESS
    except outgoing.UnknownHost:
        failure = Failure.UNKNOWN_HOST
    except httpcore.TimeoutException:
        failure = Failure.TIMEOUT
    except outgoing.HandshakeFailed:
        failure = Failure.TLS
    except httpcore.ConnectError:
        failure = Failure.UNREACHABLE
    except (httpcore.NetworkError, httpcore.ProtocolError):
        failure = Failure.PROTOCOL
    else:
        status, response = answer.status, _readable(answer.body)
        if not 200 <= status < 300:
            failure = Failure.REDIRECT if 300 <= status < 400 else Failure.STATUS
    return Outcome(status, failure, response, round((time.monotonic() - started) * 1000))


def wait_before(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts in vain; None: give up."""
    if attempts > len(BACK_OFF):
        return None
    return BACK_OFF[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing


@transaction.atomic
def _settle(delivery: Delivery, outcome: Outcome) -> None:
    now = timezone.now()
    # The endpoint first, as everywhere: two that lock in turn cannot wait for each other.
    endpoint = Endpoint.objects.select_for_update(no_key=True).filter(pk=delivery.endpoint_id).first()
    current = Delivery.objects.select_for_update().filter(pk=delivery.pk).first()
    if endpoint is None or current is None:  # deleted meanwhile
        return
    Attempt.objects.create(
        delivery=current,
        at=now,
        response_status=outcome.status,
        failure=outcome.failure or "",
        response=outcome.response,
        duration_ms=outcome.duration_ms,
    )
    current.attempts += 1
    current.response_status, current.failure = outcome.status, outcome.failure or ""
    current.duration_ms, current.queued_until = outcome.duration_ms, None
    wait = None if outcome.succeeded else wait_before(current.attempts)
    gone = outcome.status == 410
    if current.state == DeliveryState.PENDING or outcome.succeeded:
        if outcome.succeeded or wait is None or gone:
            current.state = DeliveryState.DELIVERED if outcome.succeeded else DeliveryState.FAILED
            current.next_attempt_at, current.finished_at = None, now
        else:
            current.next_attempt_at = now + wait
    current.save()
    if outcome.succeeded:
        endpoint.failing_since, endpoint.failures = None, 0
    else:
        endpoint.failing_since, endpoint.failures = endpoint.failing_since or now, endpoint.failures + 1
    endpoint.save(update_fields=["failing_since", "failures"])
    if gone:
        endpoints.disable_endpoint(endpoint=endpoint, actor=SYSTEM, reason=OffReason.GONE)
    elif wait is None and endpoint.failing_since and endpoint.failing_since <= now - PATIENCE:
        endpoints.disable_endpoint(endpoint=endpoint, actor=SYSTEM, reason=OffReason.FAILING)


def _readable(body: bytes) -> str:
    return _CONTROL.sub("\ufffd", redact(body.decode("utf-8", "replace")))
