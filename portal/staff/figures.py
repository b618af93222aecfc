"""What is counted over everything: by the worker every minute, kept as one row each, so that a page reads and adds up
nothing. At a million keys each of these counts takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from keys.models import Key
from keys.usage.models import OutcomeHour, RefusalDay, Sighting, UsageDay
from portal.staff.models import Figure

HOURS: Final = 24
TOP: Final = 10
UNUSED: Final = timedelta(days=90)
ADDRESSES: Final = 20  # more than so many within a week are many
RISE: Final = 10  # so many times the usual is a sudden rise…
LEAST: Final = 1000  # …if it is not few anyway
SLOW_EVERY: Final = timedelta(minutes=10)  # what walks through all keys is counted so often


def count_all(now: datetime | None = None) -> list[str]:
    """Count what is due; returns the names of it. Safe to run twice."""
    now = now or timezone.now()
    done = []
    for name, (count, every) in COUNTS.items():
        row = Figure.objects.filter(pk=name).first()
        if row is None or now - row.at >= every:
            old = row.value if row else None
            Figure.objects.update_or_create(pk=name, defaults={"value": count(now, old), "at": timezone.now()})
            done.append(name)
    return done


def figure(name: str) -> Figure | None:
    """A figure as it was counted last; None before the first time. One query."""
    return Figure.objects.filter(pk=name).first()


def all_figures() -> dict[str, Figure]:
    """All that were counted, by name: one query. There are a handful."""
    return {row.name: row for row in Figure.objects.all()}


def _verdicts(now: datetime, old: Any) -> Any:
    """Verdicts of the last HOURS hours: {"hours": {hour: {code: count}}, "whole_at": when all of them were counted}.

    Mostly the last two hours change, and only those are counted again. What verifiers report late falls into older
    ones: every SLOW_EVERY all are.
    """
    this = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [this - timedelta(hours=number) for number in reversed(range(HOURS))]
    whole = old is None or now - datetime.fromisoformat(old["whole_at"]) >= SLOW_EVERY
    kept: dict[str, dict[str, int]] = {} if whole else old["hours"]
    wanted = [hour for hour in hours[:-2] if hour.isoformat() not in kept] + hours[-2:]
    found = {hour.isoformat(): kept.get(hour.isoformat(), {}) for hour in hours}
    found |= {hour.isoformat(): {} for hour in wanted}
    rows = (
        OutcomeHour.objects.filter(period__in=wanted).order_by().values("period", "code").annotate(total=Sum("count"))
    )
    for row in rows:
        found[row["period"].astimezone(UTC).isoformat()][row["code"]] = row["total"]
    return {"hours": found, "whole_at": now.isoformat() if whole else old["whole_at"]}


def _refused(now: datetime, old: Any) -> Any:
    """The keys that were refused most today (UTC): [[key id, company id, refusals], …]."""
    top = RefusalDay.objects.filter(period=_day(now)).order_by("-count", "key_id")[:TOP]
    return [[row.key_id, row.company_id, row.count] for row in top]


def _risks(now: datetime, old: Any) -> Any:
    """Keys that deserve a look: {risk: {"count": n, "keys": [ids of a few]}}."""
    usable = Key.objects.usable(now).order_by()
    unused = Q(last_used_at=None) | Q(last_used_at__lt=now - UNUSED)
    found = {
        "no_expiry": usable.filter(expires_at=None),
        "unused": usable.filter(unused, created_at__lt=now - UNUSED),
        "old_value": usable.filter(overlap_ends_at__isnull=False, last_used_at__gt=F("replaced_by__created_at")),
    }
    risks = {
        name: {"count": rows.count(), "keys": list(rows.order_by("-last_used_at").values_list("pk", flat=True)[:TOP])}
        for name, rows in found.items()
    }
    return risks | {"addresses": _many_addresses(now), "rise": _sudden_rise(now)}


def _many_addresses(now: datetime) -> dict[str, Any]:
    rows = Sighting.objects.filter(last_at__gte=now - timedelta(days=7)).exclude(address="").order_by()
    many = rows.values("key_id").annotate(number=Count("address", distinct=True)).filter(number__gt=ADDRESSES)
    return _still_accepted([row["key_id"] for row in many.order_by("-number", "key_id")[: TOP * 10]])


def _sudden_rise(now: datetime) -> dict[str, Any]:
    """Keys with RISE times as many calls today as on a usual day of the week before."""
    today = UsageDay.objects.filter(period=_day(now)).exclude(key_id="").order_by()
    busy = {
        row["key_id"]: row["total"]
        for row in today.values("key_id")
        .annotate(total=Sum("count"))
        .filter(total__gte=LEAST)
        .order_by("-total")[:1000]
    }
    week = UsageDay.objects.filter(key_id__in=busy, period__lt=_day(now), period__gte=_day(now) - timedelta(days=7))
    before = {row["key_id"]: row["total"] for row in week.order_by().values("key_id").annotate(total=Sum("count"))}
    risen = [key_id for key_id, total in busy.items() if total > RISE * before.get(key_id, 0) / 7 and key_id in before]
    return _still_accepted(risen)


def _still_accepted(ids: list[str]) -> dict[str, Any]:
    """Those of `ids` that are still accepted, in their order."""
    accepted = set(Key.objects.usable().filter(pk__in=ids).order_by().values_list("pk", flat=True))
    kept = [identifier for identifier in ids if identifier in accepted]
    return {"count": len(kept), "keys": kept[:TOP]}


def _day(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


COUNTS: Final[dict[str, tuple[Callable[[datetime, Any], Any], timedelta]]] = {
    "verdicts": (_verdicts, timedelta(0)),
    "refused": (_refused, timedelta(minutes=2)),
    "risks": (_risks, SLOW_EVERY),
}
