"""Writing usage: batches into hours, hours into days, and forgetting what is old."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from keys import hotstore
from keys.usage.models import (
    CompanyDay,
    CompanyHour,
    KeyRanking,
    OutcomeHour,
    RefusalDay,
    Sighting,
    UsageBatch,
    UsageDay,
    UsageHour,
)

if TYPE_CHECKING:
    from keys.records import KeyRecord

_KEY_COLUMNS = ("period", "server_id", "company_id", "key_id", "code", "tool", "client")
_COMPANY_COLUMNS = ("period", "server_id", "company_id", "code", "tool", "client")
_OUTCOME_COLUMNS = ("period", "company_id", "code")
_REFUSAL_COLUMNS = ("period", "company_id", "key_id")
_RANKINGS_KEPT = timedelta(days=2)
_USED = ("VALID",)
Counts = dict[tuple[Any, ...], int]  # (moment, what is counted…) → how often


@transaction.atomic
def write_batch(batch_id: str, batch: dict[str, Any]) -> bool:
    """Add a batch of the counter to the tables; False if it was written before.

    `batch`: {"counts": [[epoch hour, server, company, key, code, tool, client, count]], "sightings": [[key, address,
    client, company, tool, code, first, last, count]]}, times in epoch seconds.
    """
    _batch, created = UsageBatch.objects.get_or_create(id=batch_id)
    if not created:
        return False
    hours: Counts = {}
    for hour, *names, count in batch["counts"]:
        entry = (_moment(hour), *names)
        hours[entry] = hours.get(entry, 0) + count
    company_hours = _summed(hours, lambda hour, server, company, _key, *rest: (hour, server, company, *rest))
    # Rows are locked in one order everywhere, so that two batches cannot wait for each other. Those of companies, which
    # more batches share, come late, and before any row that more than usage writes to: a recount may hold them a while.
    _add(UsageHour, _KEY_COLUMNS, hours)
    days = _summed(hours, _by_day)
    refused = {entry: count for entry, count in days.items() if entry[3] and entry[4] not in _USED}
    _add(UsageDay, _KEY_COLUMNS, days)
    _add(RefusalDay, _REFUSAL_COLUMNS, _summed(refused, lambda day, _server, company, key, *_: (day, company, key)))
    _add(CompanyHour, _COMPANY_COLUMNS, company_hours)
    _add(CompanyDay, _COMPANY_COLUMNS, _summed(company_hours, _by_day))
    _add(
        OutcomeHour,
        _OUTCOME_COLUMNS,
        _summed(company_hours, lambda hour, _server, company, code, *_: (hour, company, code)),
    )
    _see(sorted(batch["sightings"]))
    return True


def _summed(counts: Counts, entry_of: Callable[..., tuple[Any, ...]]) -> Counts:
    """`counts` added up by what `entry_of` makes of their columns."""
    found: Counts = {}
    for columns, count in counts.items():
        entry = entry_of(*columns)
        found[entry] = found.get(entry, 0) + count
    return found


def _by_day(hour: datetime, *names: str) -> tuple[Any, ...]:
    return (hour.replace(hour=0), *names)


def _add(model: type[Model], columns: tuple[str, ...], counts: Counts) -> None:
    table, names, marks = model._meta.db_table, ", ".join(columns), ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({names}, count) VALUES ({marks}, %s) "  # noqa: S608
            f"ON CONFLICT ({names}) DO UPDATE SET count = {table}.count + excluded.count",
            [(stored(moment), *values, count) for (moment, *values), count in sorted(counts.items())],
        )


def _see(rows: list[list[Any]]) -> None:
    table = Sighting._meta.db_table
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} (key_id, address, client, company_id, tool, code, first_at, last_at, count) "  # noqa: S608
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (key_id, address, client) DO UPDATE SET "
            f"tool = excluded.tool, code = excluded.code, last_at = excluded.last_at, "
            f"count = {table}.count + excluded.count",
            [(*row[:6], stored(_moment(row[6])), stored(_moment(row[7])), row[8]) for row in rows],
        )
        used: dict[str, datetime] = {}
        for row in rows:
            if row[5] in _USED:
                used[row[0]] = max(used.get(row[0], _moment(row[7])), _moment(row[7]))
        for used_table in ("keys_key", "oauth_connection"):  # an id is one or the other's
            cursor.executemany(
                f"UPDATE {used_table} SET last_used_at = %s, first_used_at = COALESCE(first_used_at, %s) "  # noqa: S608
                "WHERE id = %s AND (last_used_at IS NULL OR last_used_at < %s)",
                [(at, at, key_id, at) for key_id, at in ((key, stored(at)) for key, at in sorted(used.items()))],
            )


def used_by_keys(key_ids: Collection[str], now: float) -> dict[str, int]:
    """How many valid verdicts each key had in the calendar month (UTC) of `now`, as far as they are written.

    Keys without any are left out. One query, by hand: it stands on the hot path of a key that was not seen lately.
    """
    if not key_ids:
        return {}
    beginning = _moment(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    marks, codes = (", ".join(["%s"] * len(values)) for values in (key_ids, _USED))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT key_id, SUM(count) FROM {UsageDay._meta.db_table} "  # noqa: S608
            f"WHERE key_id IN ({marks}) AND period >= %s AND code IN ({codes}) GROUP BY key_id",
            [*key_ids, stored(beginning), *_USED],
        )
        return {key_id: int(total) for key_id, total in cursor.fetchall()}


def purge(now: datetime | None = None) -> int:
    """Delete hours, days, sightings and batch ids that are older than the settings keep. Returns rows deleted."""
    now = now or timezone.now()
    hours, days = (
        now - timedelta(days=kept) for kept in (settings.USAGE_HOURS_KEPT_DAYS, settings.USAGE_DAYS_KEPT_DAYS)
    )
    deleted = 0
    for rows in (
        UsageHour.objects.filter(period__lt=hours),
        CompanyHour.objects.filter(period__lt=hours),
        OutcomeHour.objects.filter(period__lt=hours),
        UsageDay.objects.filter(period__lt=days),
        CompanyDay.objects.filter(period__lt=days),
        RefusalDay.objects.filter(period__lt=days),
        Sighting.objects.filter(last_at__lt=days),
        UsageBatch.objects.filter(at__lt=now - timedelta(days=2)),
        KeyRanking.objects.filter(asked_at__lt=now - _RANKINGS_KEPT),
    ):
        deleted += rows.delete()[0]
    return deleted


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def stored(moment: datetime) -> Any:
    """`moment` as Django's models write it: SQLite compares text, and another spelling would equal none of theirs."""
    return connection.ops.adapt_datetimefield_value(moment)


def report(server_id: str, batch_id: str, items: list[tuple[KeyRecord, dict[str, Any], datetime]]) -> bool:
    """Take a verifier's report of calls that it answered from its cache: into usage, and off the keys' limits.

    False, and nothing counted, if the report was taken before.
    """
    counts, sightings = [], []
    for record, item, at in items:
        moment = at.timestamp()
        tool, client, address = item.get("tool") or "", item.get("client") or "", item.get("client_ip") or ""
        hour = int(moment) // 3600 * 3600
        counts.append([hour, server_id, record.company_id, record.id, "VALID", tool, client, item["count"]])
        sightings.append([record.id, address, client, record.company_id, tool, "VALID", moment, moment, item["count"]])
    if not write_batch(batch_id, {"counts": counts, "sightings": sightings}):
        return False
    hotstore.take_all([(record.id, record.limits, item["count"]) for record, item, _at in items], force=True)
    return True
