"""Telling people in time that a key ends: 14 and 3 days before, when it has, and while an old value is still used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from keys import events
from keys.models import Key, KeyNotice, NoticeKind
from keys.webhooks.models import EventType
from portal.accounts import mails
from portal.companies.models import CompanyState
from portal.companies.roles import ACTS

# An expiry that passed longer ago than this is no news: a portal that was down for weeks sends no flood.
STALE = timedelta(days=3)
OVERLAP_WARNING = timedelta(hours=2)
AT_ONCE = 500


def send_due(now: datetime | None = None) -> int:
    """Send every notice that is due and was not sent yet. Returns how many keys it was about."""
    now = now or timezone.now()
    return sum(_notify(key, kind) for kind in NoticeKind for key in _due(kind, now)[:AT_ONCE])


def _due(kind: NoticeKind, now: datetime) -> QuerySet[Key]:
    living = Key.objects.filter(revoked_at=None, company__state=CompanyState.ACTIVE).exclude(notices__kind=kind)
    living = living.select_related("company", "server", "user").order_by("expires_at", "pk")
    if kind == NoticeKind.OLD_VALUE_IN_USE:
        # Used since it was replaced: whoever still holds the old value would be cut off.
        return living.filter(
            overlap_ends_at__gt=now,
            overlap_ends_at__lte=now + OVERLAP_WARNING,
            last_used_at__gt=F("replaced_by__created_at"),
        )
    living = living.filter(Q(overlap_ends_at=None))
    if kind == NoticeKind.EXPIRED:
        return living.filter(expires_at__lte=now, expires_at__gt=now - STALE)
    days, later = (14, 3) if kind == NoticeKind.EXPIRES_IN_14_DAYS else (3, 0)
    # A key that was made to live shorter than the warning's time gets the later warning only.
    return living.filter(
        expires_at__gt=now + timedelta(days=later),
        expires_at__lte=now + timedelta(days=days),
        created_at__lt=F("expires_at") - timedelta(days=days),
    )


def _notify(key: Key, kind: NoticeKind) -> bool:
    with transaction.atomic():
        _notice, made = KeyNotice.objects.get_or_create(key=key, kind=kind)
        if not made:
            return False
        if kind != NoticeKind.OLD_VALUE_IN_USE:
            event = EventType.KEY_EXPIRED if kind == NoticeKind.EXPIRED else EventType.KEY_EXPIRING
            events.tell(event, [key])
        # Inside the transaction: a mail server that is away leaves the notice unsent, and the next run tries again.
        for message in _messages(key, kind):
            message.send()
    return True


def _messages(key: Key, kind: NoticeKind) -> Iterator[EmailMultiAlternatives]:
    managers = key.company.memberships.filter(role__in=ACTS["key:manage_any"]).select_related("user")
    people = {key.user.email: key.user} | {member.user.email: member.user for member in managers}
    address = settings.PORTAL_URL + reverse("keys:detail", kwargs={"slug": key.company.slug, "key_id": key.pk})
    context = {"key": key, "kind": str(kind), "address": address}
    for person in people.values():
        yield mails.to_person("keys/mail/notice", person, context, zone=key.company.time_zone)
