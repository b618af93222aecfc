"""Counts by company, and refusals, made anew from those by key, for what older code wrote meanwhile.

Older code counts by key alone. While a new version is rolled out, workers of the old one still write batches, and so
they do if one goes back to the old version. Their batches are known by `UsageBatch.by_company`, which the database then
sets; which days were in them is not. What a batch holds is at most a day old, unless the queue stood still: the last
DAYS days are counted again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from keys.usage.models import CompanyDay, CompanyHour, OutcomeHour, RefusalDay, UsageBatch, UsageDay, UsageHour
from keys.usage.services import stored

DAYS: Final = 8
AT_ONCE: Final = 500
_COLUMNS: Final = "period, server_id, company_id, code, tool, client"
# Table, columns, what it is the sum of, and which of that; in the order in which batches write them.
_SUMS: Final = tuple(
    (table._meta.db_table, columns, source._meta.db_table, which)
    for table, columns, source, which in (
        (RefusalDay, "period, company_id, key_id", UsageDay, "AND code <> 'VALID' AND key_id <> ''"),
        (CompanyHour, _COLUMNS, UsageHour, ""),
        (CompanyDay, _COLUMNS, UsageDay, ""),
        (OutcomeHour, "period, company_id, code", CompanyHour, ""),
    )
)


def recount_missed(now: datetime | None = None) -> int:
    """Put right what batches of older code left out; how many of those there were. Safe to run twice."""
    now = now or timezone.now()
    missed = list(UsageBatch.objects.filter(by_company=False).values_list("pk", flat=True))
    if not missed:
        return 0
    recount_days(DAYS, now)
    # Only those that were there before: one that came meanwhile may have been counted too late for its day.
    for start in range(0, len(missed), AT_ONCE):
        UsageBatch.objects.filter(pk__in=missed[start : start + AT_ONCE]).update(by_company=True)
    return len(missed)


def recount_days(number: int, now: datetime) -> None:
    """Make those of the last `number` days until `now` anew, each by itself."""
    for back in range(number):
        recount_day(now - timedelta(days=back))


@transaction.atomic
def recount_day(moment: datetime) -> None:
    """Make those of the day (UTC) of `moment` anew. Batches wait meanwhile, and are not lost."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    span = (stored(day), stored(day + timedelta(days=1)))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # A batch of new code must not come between the sums and what they replace. One that has written its keys
            # waits for these tables, in the same order; what it wrote is not seen here, and it adds it afterwards. On
            # SQLite a transaction is the only one that writes.
            cursor.execute(f"LOCK TABLE {', '.join(table for table, *_ in _SUMS)} IN SHARE ROW EXCLUSIVE MODE")
        for table, columns, source, which in _SUMS:
            cursor.execute(f"DELETE FROM {table} WHERE period >= %s AND period < %s", span)  # noqa: S608
            cursor.execute(
                f"INSERT INTO {table} ({columns}, count) SELECT {columns}, SUM(count) FROM {source} "  # noqa: S608
                f"WHERE period >= %s AND period < %s {which} GROUP BY {columns}",
                span,
            )
