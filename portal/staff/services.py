"""What staff do that belongs to no other room."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from keys.models import Key
from keys.services import target
from portal.audit.actors import Actor
from portal.audit.selectors import target_events
from portal.audit.services import record

NOTED_FOR = timedelta(hours=1)


@transaction.atomic
def note_key_viewed(*, key: Key, actor: Actor) -> bool:
    """Tell the company, in its record, that staff looked at `key`: once an hour for each of the staff.

    Returns whether an event was added.
    """
    noted = target_events(key.company, "key", key.pk).filter(
        action="key:viewed_by_staff", actor_id=actor.id, at__gt=timezone.now() - NOTED_FOR
    )
    if noted.exists():
        return False
    record("key:viewed_by_staff", actor=actor, company=key.company, target=target(key))
    return True
