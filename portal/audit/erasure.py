"""Blanking personal data in the record: of one person, or of everything that is old. The chain still verifies.

The triggers of the database allow this one change: all personal columns of an event blank at once, all else the same.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.audit.models import ActorKind, AuditEvent

BLANK: Final[dict[str, Any]] = {
    "personal_salt": "", "actor_label": "", "target_label": "", "ip": None, "user_agent": "",
}  # fmt: skip
BATCH: Final = 1000
BUDGET_SECONDS: Final = 60.0
_DONE_TO: Final = "audit:erased-to"


def erase_person(user_id: str) -> int:
    """Blank the names, addresses and browsers of every event that the person did, or that is about them. How many."""
    about = Q(actor_id=user_id, actor_kind__in=[ActorKind.USER, ActorKind.STAFF])
    about |= Q(target_kind="user", target_id=user_id)
    found, count = AuditEvent.objects.filter(about).exclude(personal_salt=""), 0
    while ids := list(found.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        count += _blank(AuditEvent.objects.filter(pk__in=ids))
    return count


def erase_old(now: datetime | None = None, *, budget: float = BUDGET_SECONDS) -> int:
    """Blank what is older than AUDIT_PERSONAL_KEPT_DAYS (0: nothing is), oldest first. How many events."""
    if not settings.AUDIT_PERSONAL_KEPT_DAYS:
        return 0
    before = (now or timezone.now()) - timedelta(days=settings.AUDIT_PERSONAL_KEPT_DAYS)
    began, count, after = time.monotonic(), 0, cache.get(_DONE_TO, 0)
    while time.monotonic() - began < budget:
        rows = AuditEvent.objects.filter(pk__gt=after).order_by("pk").values_list("pk", "at")[:BATCH]
        old = [pk for pk, at in rows if at < before]
        if not old:
            break
        count += _blank(AuditEvent.objects.filter(pk__in=old).exclude(personal_salt=""))
        after = old[-1]
        cache.set(_DONE_TO, after, None)  # forgotten, it only begins at the beginning again
    return count


def _blank(events: QuerySet[AuditEvent]) -> int:
    return events.update(**BLANK)
