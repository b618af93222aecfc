"""Adding events to a chain, and verifying it."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone

from portal.audit.actors import Actor
from portal.audit.models import NO_HASH, AuditChain, AuditEvent
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
    name = company if isinstance(company, str) else company.pk if company else PLATFORM
    return record_over(
        [(name, target, data) for target, data in items], action, actor=actor, reason=reason, incident_id=incident_id
    )


def record_over(
    items: Iterable[tuple[str, Target, dict[str, Any]]],
    action: str,
    *,
    actor: Actor,
    reason: str = "",
    incident_id: str = "",
) -> list[AuditEvent]:
    """Add one event for each of `items` (company's id, target, data): four queries over however many companies.

    As `record` otherwise.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"The audit event {action} must be recorded in the transaction of its act.")
    items = list(items)
    chains = _locked_chains(sorted({name for name, _target, _data in items}))
    events = []
    for name, target, data in items:
        chain = chains[name]
        event = made_event(
            action, chain=name, number=chain.length + 1, previous_hash=chain.head, at=timezone.now(), actor=actor,
            target=target, reason=reason, data=data, request_id=request_id.get(), incident_id=incident_id,
        )  # fmt: skip
        chain.length, chain.head = event.number, event.hash
        events.append(event)
    AuditEvent.objects.bulk_create(events, batch_size=500)
    # The rows are there and locked: this only updates them, without the long CASE of bulk_update.
    AuditChain.objects.bulk_create(
        chains.values(), update_conflicts=True, unique_fields=["name"], update_fields=["length", "head"], batch_size=500
    )
    return events


def _locked_chains(names: list[str]) -> dict[str, AuditChain]:
    """The chains `names`, which are sorted, made where there is none yet: all take them in this order, so that none
    waits for another that waits for it.
    """
    known = set(AuditChain.objects.filter(name__in=names).values_list("name", flat=True))
    if missing := [name for name in names if name not in known]:
        AuditChain.objects.bulk_create([AuditChain(name=name) for name in missing], ignore_conflicts=True)
    return {
        chain.name: chain for chain in AuditChain.objects.select_for_update().filter(name__in=names).order_by("name")
    }


def made_event(
    action: str,
    *,
    chain: str,
    number: int,
    previous_hash: str,
    at: datetime,
    actor: Actor,
    target: Target,
    reason: str,
    data: dict[str, Any],
    request_id: str,
    incident_id: str,
) -> AuditEvent:
    """The event that follows `previous_hash` as number `number` of `chain`; not saved."""
    event = AuditEvent(
        chain=chain,
        number=number,
        at=at,
        action=action,
        actor_kind=actor.kind,
        actor_id=actor.id,
        target_kind=target.kind,
        target_id=target.id,
        reason=redact(reason)[:500],
        data=data,
        request_id=request_id,
        incident_id=incident_id,
        previous_hash=previous_hash,
        personal_salt=secrets.token_hex(16),
        actor_label=actor.label[:200],
        target_label=target.label[:200],
        ip=actor.ip,
        user_agent=redact(actor.user_agent)[:200],
    )
    event.personal_digest = _personal_digest(event)
    event.hash = event_hash(event)
    return event


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


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a walk along a chain came: the number and hash of the last event that holds; `ended`: at its end."""

    number: int
    hash: str
    fault: str = ""
    ended: bool = False


def verify_chain(name: str) -> ChainReport:
    """Walk the chain `name` from its beginning, holding every hash against its event."""
    chain = AuditChain.objects.filter(name=name).first() or AuditChain(name=name)
    walk = walk_chain(chain, Walk(0, NO_HASH))
    return ChainReport(name, walk.number, walk.fault)


def walk_chain(chain: AuditChain, start: Walk, most: int | None = None) -> Walk:
    """Walk along `chain` from `start`, at most `most` events, holding every hash against its event.

    Up to the end that the chain has now: what is added meanwhile is no fault, and nobody has to wait for the walk.
    """
    head, number = start.hash, start.number
    last = chain.length if most is None else min(chain.length, number + most)
    events = AuditEvent.objects.filter(chain=chain.name, number__gt=number, number__lte=last).order_by("number")
    for event in events.iterator(chunk_size=2000):
        if event.number != number + 1:
            return Walk(number, head, f"event {number + 1} is missing", True)
        if event.previous_hash != head or event.hash != event_hash(event) or not _personal_holds(event):
            return Walk(number, head, f"event {number + 1} was changed", True)
        number, head = event.number, event.hash
    if number < last:
        return Walk(number, head, f"events after {number} are missing", True)
    if number < chain.length:
        return Walk(number, head)
    fault = ""
    if head != chain.head:
        fault = "its end is not the one that was noted"
    elif AuditEvent.objects.filter(chain=chain.name, number__gt=number).exists() and _is_still(chain):
        fault = "its end was not noted"
    return Walk(number, head, fault, True)


def _is_still(chain: AuditChain) -> bool:
    """Whether nothing was added to the chain since it was read."""
    length = AuditChain.objects.filter(name=chain.name).values_list("length", flat=True).first() or 0
    return length == chain.length


def _personal_holds(event: AuditEvent) -> bool:
    """Whether the personal columns are those of the event, or were erased: all of them, and their salt."""
    if event.personal_salt:
        return event.personal_digest == _personal_digest(event)
    return not any(getattr(event, name) for name in _PERSONAL)
