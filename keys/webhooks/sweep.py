"""What the beat does: hand out deliveries that are due, tell owners of endpoints that went off, delete old events."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from keys.webhooks.models import Delivery, DeliveryState, Endpoint, Event, OffReason
from keys.webhooks.services import QUEUE_PATIENCE
from portal.accounts import mails
from portal.accounts.models import User
from portal.companies.roles import ACTS

LOOKED_AT = 1000
# So many deliveries of one endpoint at a time: a receiver that answers slowly does not hold up the others.
TURN = 20
KEPT = timedelta(days=30)
PURGED_AT_ONCE = 1000


def take_due() -> list[str]:
    """Ids of deliveries to hand out now, the longest due first, at most TURN of an endpoint; marked as queued."""
    now = timezone.now()
    due = Delivery.objects.filter(
        Q(queued_until__isnull=True) | Q(queued_until__lte=now),
        state=DeliveryState.PENDING,
        next_attempt_at__lte=now,
        endpoint__disabled_at__isnull=True,
    ).order_by("next_attempt_at")
    turns: Counter[str] = Counter()
    taken = []
    for delivery_id, endpoint_id in due.values_list("pk", "endpoint_id")[:LOOKED_AT]:
        turns[endpoint_id] += 1
        if turns[endpoint_id] <= TURN:
            taken.append(delivery_id)
    Delivery.objects.filter(pk__in=taken).update(queued_until=now + QUEUE_PATIENCE)
    return taken


def tell_owners() -> int:
    """Mail those who manage an endpoint that Latchkey switched off, once; returns how many endpoints."""
    told = 0
    waiting = Endpoint.objects.filter(
        notified_at__isnull=True, disabled_reason__in=[OffReason.GONE, OffReason.FAILING]
    ).select_related("company", "server__company")
    for endpoint in waiting[:100]:
        # Taken before it is sent: of two workers one sends.
        if not Endpoint.objects.filter(pk=endpoint.pk, notified_at__isnull=True).update(notified_at=timezone.now()):
            continue
        try:
            _tell(endpoint)
        except Exception:
            Endpoint.objects.filter(pk=endpoint.pk).update(notified_at=None)
            raise
        told += 1
    return told


def purge() -> int:
    """Delete events that are older than 30 days, with their deliveries, in small steps; returns how many."""
    count = 0
    old = Event.objects.filter(created_at__lt=timezone.now() - KEPT)
    while ids := list(old.values_list("pk", flat=True)[:PURGED_AT_ONCE]):
        Event.objects.filter(pk__in=ids).delete()
        count += len(ids)
    return count


def _tell(endpoint: Endpoint) -> None:
    company = endpoint.company or (endpoint.server.company if endpoint.server else None)
    if company is not None:
        people = User.objects.filter(
            memberships__company=company, memberships__role__in=ACTS["webhook:manage"], is_active=True
        )
        path = reverse("webhooks:detail", args=[company.slug, endpoint.pk])
    else:
        people = User.objects.staff()
        path = "/staff/"
    context = {"endpoint": endpoint, "company": company, "link": settings.PORTAL_URL + path}
    zone = company.time_zone if company else ""
    for person in people.order_by("email").distinct():
        mails.to_person("webhooks/mail/disabled", person, context, zone=zone).send()
