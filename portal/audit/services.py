"""Adding events to a chain, and verifying it."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone

from portal.audit.actors import Actor
from portal.audit.models import AuditChain, AuditEvent
from portal.logs import redact, request_id

if TYPE_CHECKING:
    from portal.companies.models import Company

PLATFORM = "platform"
_HASHED = (
    "chain", "number", "action", "actor_kind", "actor_id", "target_kind", "target_id", "reason", "data",
    "request_id", "incident_id", "personal_digest", "previous_hash",
)  # fmt: skip
_PERSONAL = ("actor_label", "target_label", "ip", "user_agent")


@dataclass(frozen=True, slots=True)
class Target:
    """What an event is about."""

    kind: str
    id: str = ""
    label: str = ""


def record(
    action: str,
    *,
    actor: Actor,
    company: Company | str | None,
    target: Target,
    reason: str = "",
    data: dict[str, Any] | None = None,
    incident_id: str = "",
) -> AuditEvent:
    """Add one event, in the transaction of the act itself, to the chain of `company` (None: the platform's).

    `action` is `subject:verb` in the past tense, such as `key:rotated`; `data` holds ids and plain facts, never a
    secret. Raises RuntimeError outside a transaction: an act and its event stand or fall together.
    """
    return record_many([(target, data or {})], action, actor=actor, company=company, reason=reason,
                       incident_id=incident_id)[0]  # fmt: skip


def record_many(
    items: Iterable[tuple[Target, dict[str, Any]]],
    action: str,
    *,
    actor: Actor,
    company: Company | str | None,
    reason: str = "",
    incident_id: str = "",
) -> list[AuditEvent]:
    """Add one event for each of `items` (target, data), locking the chain once. As `record` otherwise."""
    if not connection.in_atomic_block:
        raise RuntimeError(f"The audit event {action} must be recorded in the transaction of its act.")
    name = company if isinstance(company, str) else company.pk if company else PLATFORM
    AuditChain.objects.get_or_create(name=name)
    chain = AuditChain.objects.select_for_update().get(name=name)
    events = []
    for target, data in items:
        event = AuditEvent(
            chain=name,
            number=chain.length + 1,
            at=timezone.now(),
            action=action,
            actor_kind=actor.kind,
            actor_id=actor.id,
            target_kind=target.kind,
            target_id=target.id,
            reason=redact(reason)[:500],
            data=data,
            request_id=request_id.get(),
            incident_id=incident_id,
            previous_hash=chain.head,
            personal_salt=secrets.token_hex(16),
            actor_label=actor.label[:200],
            target_label=target.label[:200],
            ip=actor.ip,
            user_agent=redact(actor.user_agent)[:200],
        )
        event.personal_digest = _personal_digest(event)
        event.hash = event_hash(event)
        chain.length, chain.head = event.number, event.hash
        events.append(event)
    AuditEvent.objects.bulk_create(events, batch_size=500)
    chain.save(update_fields=["length", "head"])
    return events


def event_hash(event: AuditEvent) -> str:
    """SHA-256, in hex, over the event's fields and the hash before it."""
    fields = {name: getattr(event, name) for name in _HASHED}
    fields["at"] = event.at.astimezone(timezone.get_default_timezone()).isoformat(timespec="microseconds")
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _personal_digest(event: AuditEvent) -> str:
    values = [event.personal_salt, *(str(getattr(event, name) or "") for name in _PERSONAL)]
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What verifying a chain found: how many events hold, and the first thing wrong ('' if nothing is)."""

    name: str
    verified: int
    fault: str = ""

    @property
    def intact(self) -> bool:
        """Whether every event is there and unchanged."""
        return not self.fault


def verify_chain(name: str) -> ChainReport:
    """Walk the chain `name` from its beginning, holding every hash against its event.

    Up to the end that it has now: what is added meanwhile is no fault, and nobody has to wait for the walk.
    """
    chain = AuditChain.objects.filter(name=name).first() or AuditChain(name=name)
    head, number = "0" * 64, 0
    events = AuditEvent.objects.filter(chain=name, number__lte=chain.length).order_by("number")
    for event in events.iterator(chunk_size=2000):
        number += 1
        if event.number != number:
            return ChainReport(name, number - 1, f"event {number} is missing")
        erased = not event.personal_salt
        if (
            event.previous_hash != head
            or event.hash != event_hash(event)
            or (not erased and event.personal_digest != _personal_digest(event))
        ):
            return ChainReport(name, number - 1, f"event {number} was changed")
        head = event.hash
    if number < chain.length:
        return ChainReport(name, number, f"events after {number} are missing")
    if head != chain.head:
        return ChainReport(name, number, "its end is not the one that was noted")
    if not chain.length and AuditEvent.objects.filter(chain=name).exists():
        return ChainReport(name, 0, "its end was not noted")
    return ChainReport(name, number)
