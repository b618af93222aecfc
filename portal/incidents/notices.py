"""Telling the owners of affected companies what was revoked and what to do: each of them once for an incident."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from portal.accounts import mails
from portal.companies.models import Company
from portal.companies.roles import Role
from portal.incidents.models import Incident, IncidentNotice
from portal.incidents.selectors import affected_company_ids, revocations
from portal.incidents.services import note_act

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor

NAMED = 20  # keys that a mail names; the record has all of them


@dataclass(frozen=True, slots=True)
class Told:
    """What a mail tells a company of an incident."""

    company: Company
    number: int
    names: list[str]
    reason: str


@transaction.atomic
def ask_for_notices(*, incident: Incident, actor: Actor) -> None:
    """Have the owners told who were not told yet. The worker does it; a sweep, if the queue is away just now."""
    Incident.objects.filter(pk=incident.pk).update(notices_asked_at=timezone.now())
    note_act(incident, "incident:notices_asked", actor)
    transaction.on_commit(_hand_over)


def _hand_over() -> None:
    from portal.incidents.tasks import send_notices

    try:
        send_notices.apply_async(retry=False)
    except (OperationalError, OSError):
        return  # asked_at stays: the sweep finds it


def send_due() -> int:
    """Send every notice that was asked for and was not sent. Returns how many mails. Safe to run twice, or at once."""
    sent = 0
    for incident in Incident.objects.filter(notices_asked_at__isnull=False).order_by("notices_asked_at"):
        asked_at = incident.notices_asked_at
        sent += send(incident)
        # Asked again meanwhile: the next run looks once more.
        Incident.objects.filter(pk=incident.pk, notices_asked_at=asked_at).update(notices_asked_at=None)
    return sent


def send(incident: Incident) -> int:
    """Mail each owner of each affected company who was not told of `incident` yet. Returns how many."""
    sent = 0
    for company_id in affected_company_ids(incident):
        company = Company.objects.filter(pk=company_id).first()
        if company is None:
            continue
        owners = company.memberships.filter(role=Role.OWNER, user__is_active=True).select_related("user")
        told: Told | None = None
        for owner in owners.order_by("pk"):
            if IncidentNotice.objects.filter(incident=incident, company_id=company_id, user_id=owner.user_id).exists():
                continue
            told = told or _what(incident, company)
            sent += _send_once(incident, told, owner.user)
    return sent


def _what(incident: Incident, company: Company) -> Told:
    found = revocations(incident).filter(chain=company.pk)
    first = found.order_by("id").first()
    names = list(found.order_by("id").values_list("target_label", flat=True)[:NAMED])
    return Told(company, found.count(), names, first.reason if first else "")


def _send_once(incident: Incident, told: Told, owner: User) -> bool:
    with transaction.atomic():
        _notice, made = IncidentNotice.objects.get_or_create(
            incident=incident, company_id=told.company.pk, user_id=owner.pk
        )
        if made:
            # Inside the transaction: a mail server that is away leaves the notice unsent, and the next run tries again.
            _message(told, owner).send()
    return made


def _message(told: Told, owner: User) -> EmailMultiAlternatives:
    context = {
        "told": told,
        "more": told.number - len(told.names),
        "address": settings.PORTAL_URL + reverse("keys:list", kwargs={"slug": told.company.slug}),
    }
    return mails.to_person("incidents/mail/revoked", owner, context, zone=told.company.time_zone)
