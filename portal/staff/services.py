"""What staff do that belongs to no other room."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from keys.models import Key
from keys.services import target as key_target
from portal.audit.actors import Actor
from portal.audit.selectors import target_events
from portal.audit.services import Target, record
from portal.companies.models import Company

NOTED_FOR = timedelta(hours=1)


def note_key_viewed(*, key: Key, actor: Actor) -> bool:
    """Tell the company, in its record, that staff looked at `key`. Returns whether an event was added."""
    return note_viewed("key:viewed_by_staff", company=key.company, target=key_target(key), actor=actor)


@transaction.atomic
def note_viewed(action: str, *, company: Company, target: Target, actor: Actor) -> bool:
    """Tell the company, in its record, that staff looked at `target`: once an hour for each of the staff.

    Returns whether an event was added.
    """
    noted = target_events(company, target.kind, target.id).filter(
        action=action, actor_id=actor.id, at__gt=timezone.now() - NOTED_FOR
    )
    if noted.exists():
        return False
    record(action, actor=actor, company=company, target=target)
    return True
