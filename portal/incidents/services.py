"""The life of an incident. Every write, each with its audit event in one transaction, on the platform's chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from portal.audit.models import ActorKind
from portal.audit.services import Target, record
from portal.incidents.errors import IncidentClosed
from portal.incidents.models import Incident, IncidentNote, IncidentState
from portal.logs import redact

if TYPE_CHECKING:
    from portal.audit.actors import Actor

_PEOPLE = (ActorKind.USER, ActorKind.STAFF)


@transaction.atomic
def open_incident(*, title: str, actor: Actor, kind: str = "manual") -> Incident:
    """Begin an incident; its id goes as `incident_id` to whatever is done about it. Secrets in `title` are cut."""
    incident = Incident.objects.create(
        title=" ".join(redact(title).split())[:160],
        kind=kind[:24],
        opened_by_id=_person(actor),
        opened_by_label=actor.label[:200],
    )
    note_act(incident, "incident:opened", actor, kind=incident.kind)
    return incident


@transaction.atomic
def add_note(*, incident: Incident, text: str, actor: Actor) -> IncidentNote:
    """Write down `text`, without any secret in it. Raises IncidentClosed."""
    incident = _locked(incident)
    if not incident.is_open:
        raise IncidentClosed
    note = IncidentNote.objects.create(
        incident=incident, text=redact(text.strip())[:4000], author_id=_person(actor), author_label=actor.label[:200]
    )
    note_act(incident, "incident:noted", actor)
    return note


@transaction.atomic
def close_incident(*, incident: Incident, actor: Actor) -> Incident:
    """Say that the incident is dealt with. Safe to repeat."""
    incident = _locked(incident)
    if incident.is_open:
        incident.state, incident.closed_at = IncidentState.CLOSED, timezone.now()
        incident.save(update_fields=["state", "closed_at"])
        note_act(incident, "incident:closed", actor)
    return incident


@transaction.atomic
def reopen_incident(*, incident: Incident, actor: Actor) -> Incident:
    """Go on with a closed incident. Safe to repeat."""
    incident = _locked(incident)
    if not incident.is_open:
        incident.state, incident.closed_at = IncidentState.OPEN, None
        incident.save(update_fields=["state", "closed_at"])
        note_act(incident, "incident:reopened", actor)
    return incident


def note_act(incident: Incident, action: str, actor: Actor, *, reason: str = "", **data: Any) -> None:
    """Record `action` about the incident, in the transaction of the act."""
    record(action, actor=actor, company=None, target=Target("incident", incident.pk, incident.title),
           reason=reason, data=data, incident_id=incident.pk)  # fmt: skip


def _person(actor: Actor) -> str | None:
    """The user who acts, if it is one: only a user's id may stand in the foreign key."""
    return actor.id if actor.kind in _PEOPLE and actor.id else None


def _locked(incident: Incident) -> Incident:
    return Incident.objects.select_for_update().get(pk=incident.pk)
