"""Which keys of a company were used most. A page adds up a few thousand counts itself; of more, the worker does.

Ten thousand busy keys have a million counts in 90 days, and no count without the key can say which is the first. So the
page shows the worker's last count, with its time, and asks for another one when that has become old.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from keys.models import Key
from keys.usage.models import KeyRanking
from keys.usage.rows import GOOD_SUM, Row, Tally
from keys.usage.windows import Window, window
from portal.companies.models import Company

LIVE: Final = 10_000  # counts that a page adds up itself
FRESH: Final = timedelta(minutes=10)
PATIENCE: Final = timedelta(minutes=1)  # then it is asked for again: what was asked may have been lost


@dataclass(frozen=True, slots=True)
class Ranking:
    """The most used keys. `counted_at`: when the worker counted them; None: the page did, or nobody has yet."""

    rows: list[Row]
    counted_at: datetime | None = None
    is_waiting: bool = False
    is_due: bool = False


def key_ranking(found: Window, *, now: datetime | None = None) -> Ranking:
    """The most used keys of the window of a company: at most three queries of bounded size (four in a time zone)."""
    if not any(_is_large(part) for part in found.key_parts):
        return Ranking(_named(found.company, _top(found)))
    now = now or timezone.now()
    stored = KeyRanking.objects.filter(company_id=found.company.pk, days=found.days).first()
    if stored is None or stored.counted_at is None:
        return Ranking([], is_waiting=True, is_due=stored is None or now - stored.asked_at >= PATIENCE)
    rows = [Row(*row) for row in stored.rows]
    is_due = now - stored.counted_at >= FRESH and now - stored.asked_at >= PATIENCE
    return Ranking(_named(found.company, rows), stored.counted_at, is_due=is_due)


def ask(found: Window, *, now: datetime | None = None) -> bool:
    """Have the worker count the window's keys, unless that was asked for within PATIENCE. Whether it was asked."""
    from keys.usage.tasks import rank_keys

    now = now or timezone.now()
    company_id, days = found.company.pk, found.days
    with transaction.atomic():
        _row, created = KeyRanking.objects.get_or_create(company_id=company_id, days=days, defaults={"asked_at": now})
        rows = KeyRanking.objects.filter(company_id=company_id, days=days, asked_at__lte=now - PATIENCE)
        asked = created or bool(rows.update(asked_at=now))
        if asked:
            # A page is no reason to fail if the queue is away: the next one asks again.
            transaction.on_commit(lambda: rank_keys.delay(company_id, days), robust=True)
    return asked


def rank(company_id: str, days: int, *, now: datetime | None = None) -> bool:
    """Count the most used keys of the company; False if that was done since it was asked for. Safe to run twice."""
    now = now or timezone.now()
    company = Company.objects.filter(pk=company_id).first()
    due = Q(counted_at=None) | Q(counted_at__lte=now - PATIENCE)
    stored = KeyRanking.objects.filter(due, company_id=company_id, days=days)
    if company is None or not stored.exists():
        return False
    rows = [(row.value, row.total, row.refused) for row in _top(window(company, days, company.zone, now=now))]
    return bool(stored.update(rows=rows, counted_at=now))


def _is_large(part: Any) -> bool:
    """Whether a part of a window has more than LIVE counts: reads an index no further than that."""
    return bool(part.order_by().values_list("period")[LIVE : LIVE + 1])


def _top(found: Window) -> list[Row]:
    tally = Tally()
    for part in found.key_parts:
        for row in part.order_by().values("key_id").annotate(total=Sum("count"), good=GOOD_SUM):
            tally.add(row["key_id"], row["total"], row["total"] - row["good"])
    return tally.top()


def _named(company: Company, rows: list[Row]) -> list[Row]:
    keys: dict[str, Key] = company.keys.in_bulk([row.value for row in rows])
    return [Row(row.value, row.total, row.refused, keys.get(row.value)) for row in rows]
