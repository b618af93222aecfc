"""Telling owners that something of theirs leaked, where, what was done, and what they should do."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse
from django.utils import timezone

from keys.leaks.models import Kind, Leak
from keys.models import Key
from keys.oauth.models import Connection
from portal.accounts import mails
from portal.accounts.models import User
from portal.companies.roles import ACTS

AT_ONCE = 200


def tell_waiting() -> int:
    """Send the mails that wait; returns of how many leaks. A mail server that is away leaves them waiting."""
    told = 0
    waiting = Leak.objects.filter(told_at=None).select_related("company").order_by("reported_at")
    for leak in waiting[:AT_ONCE]:
        # Taken before it is sent: of two workers one sends.
        if not Leak.objects.filter(pk=leak.pk, told_at=None).update(told_at=timezone.now()):
            continue
        try:
            for message in messages(leak):
                message.send()
        except Exception:
            Leak.objects.filter(pk=leak.pk).update(told_at=None)
            raise
        told += 1
    return told


def messages(leak: Leak) -> list[EmailMultiAlternatives]:
    """One mail for each person concerned."""
    return [_message(leak, person) for person in people(leak)]


def people(leak: Leak) -> list[User]:
    """Owners and admins of the company and the one whom the token acts for; staff for what is the operator's own."""
    if leak.company is None:
        return list(User.objects.staff())
    managers = User.objects.filter(
        memberships__company=leak.company, memberships__role__in=ACTS["key:manage_any"], is_active=True
    )
    found = {person.pk: person for person in managers.order_by("email")}
    models: dict[Kind, Any] = {Kind.KEY: Key, Kind.CONNECTION: Connection}
    model = models.get(Kind(leak.kind))
    holder = model.objects.filter(pk=leak.subject_id).select_related("user").first() if model else None
    if holder is not None and holder.user.is_active:
        found.setdefault(holder.user_id, holder.user)
    return list(found.values())


def subject_page(leak: Leak) -> str:
    """The address of the page where its owner does something about it."""
    if leak.company is None:
        return reverse("staff:servers")
    slug = leak.company.slug
    match leak.kind:
        case Kind.KEY:
            return reverse("keys:detail", args=[slug, leak.subject_id])
        case Kind.CONNECTION:
            return reverse("connections:detail", args=[slug, leak.subject_id])
        case Kind.TOKEN:
            return reverse("tokens:list", args=[slug])
        case _:
            return reverse("servers:list", args=[slug])


def _message(leak: Leak, person: User) -> EmailMultiAlternatives:
    context = {"leak": leak, "address": settings.PORTAL_URL + subject_page(leak)}
    zone = leak.company.time_zone if leak.company else ""
    return mails.to_person("leaks/mail/leaked", person, context, zone=zone)
