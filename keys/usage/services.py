"""Writing usage: batches into hours, hours into days, and forgetting what is old."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from keys import hotstore
from keys.limits import limits_of
from keys.usage.models import Sighting, UsageBatch, UsageDay, UsageHour

if TYPE_CHECKING:
    from keys.records import KeyRecord

_COUNT_COLUMNS = ("period", "server_id", "company_id", "key_id", "code", "tool", "client")
_USED = ("VALID",)


@transaction.atomic
def write_batch(batch_id: str, batch: dict[str, Any]) -> bool:
    """Add a batch of the counter to the tables; False if it was written before.

    `batch`: {"counts": [[epoch hour, server, company, key, code, tool, client, count]], "sightings": [[key, address,
    client, company, tool, code, first, last, count]]}, times in epoch seconds.
    """
    _batch, created = UsageBatch.objects.get_or_create(id=batch_id)
    if not created:
        return False
    hours: dict[tuple[Any, ...], int] = {}
    for hour, *names, count in batch["counts"]:
        entry = (_moment(hour), *names)
        hours[entry] = hours.get(entry, 0) + count
    days: dict[tuple[Any, ...], int] = {}
    for (hour, *names), count in hours.items():
        entry = (hour.replace(hour=0), *names)
        days[entry] = days.get(entry, 0) + count
    # Rows are locked in one order everywhere, so that two batches cannot wait for each other.
    _add(UsageHour._meta.db_table, sorted(hours.items()))
    _add(UsageDay._meta.db_table, sorted(days.items()))
    _see(sorted(batch["sightings"]))
    return True


def _add(table: str, rows: list[tuple[tuple[Any, ...], int]]) -> None:
    columns = ", ".join(_COUNT_COLUMNS)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({columns}, count) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "  # noqa: S608
            f"ON CONFLICT ({columns}) DO UPDATE SET count = {table}.count + excluded.count",
            [(_stored(moment), *names, count) for (moment, *names), count in rows],
        )


def _see(rows: list[list[Any]]) -> None:
    table = Sighting._meta.db_table
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} (key_id, address, client, company_id, tool, code, first_at, last_at, count) "  # noqa: S608
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (key_id, address, client) DO UPDATE SET "
            f"tool = excluded.tool, code = excluded.code, last_at = excluded.last_at, "
            f"count = {table}.count + excluded.count",
            [(*row[:6], _stored(_moment(row[6])), _stored(_moment(row[7])), row[8]) for row in rows],
        )
        used: dict[str, datetime] = {}
        for row in rows:
            if row[5] in _USED:
                used[row[0]] = max(used.get(row[0], _moment(row[7])), _moment(row[7]))
        for used_table in ("keys_key", "oauth_connection"):  # an id is one or the other's
            cursor.executemany(
                f"UPDATE {used_table} SET last_used_at = %s, first_used_at = COALESCE(first_used_at, %s) "  # noqa: S608
                "WHERE id = %s AND (last_used_at IS NULL OR last_used_at < %s)",
                [(at, at, key_id, at) for key_id, at in ((key, _stored(at)) for key, at in sorted(used.items()))],
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
            [*key_ids, _stored(beginning), *_USED],
        )
        return {key_id: int(total) for key_id, total in cursor.fetchall()}


def purge(now: datetime | None = None) -> int:
    """Delete hours, days, sightings and batch ids that are older than the settings keep. Returns rows deleted."""
    now = now or timezone.now()
    deleted = 0
    for rows in (
        UsageHour.objects.filter(period__lt=now - timedelta(days=settings.USAGE_HOURS_KEPT_DAYS)),
        UsageDay.objects.filter(period__lt=now - timedelta(days=settings.USAGE_DAYS_KEPT_DAYS)),
        Sighting.objects.filter(last_at__lt=now - timedelta(days=settings.USAGE_DAYS_KEPT_DAYS)),
        UsageBatch.objects.filter(at__lt=now - timedelta(days=2)),
    ):
        deleted += rows.delete()[0]
    return deleted


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _stored(moment: datetime) -> Any:
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
    hotstore.take_all(
        [
            (record.id, limits_of(record.plan, record.per_minute, record.per_month), item["count"])
            for record, item, _at in items
        ],
        force=True,
    )
    return True
