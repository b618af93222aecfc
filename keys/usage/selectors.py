"""Reading usage for pages and files. Every read starts from a company, or from a key that was found by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import connection
from django.db.models import F, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from keys.models import Key, McpServer
from keys.usage.models import Sighting, UsageDay
from keys.usage.rankings import Ranking, key_ranking
from keys.usage.rows import GOOD_SUM, ROWS, Row, Tally
from keys.usage.windows import Window
from keys.verdicts import MEANINGS, Code
from portal.ui.times import short_day

if TYPE_CHECKING:
    from keys.oauth.models import Connection

SPARK_DAYS: Final = 14
_GOOD = Q(code=Code.VALID.value)


@dataclass(frozen=True, slots=True)
class Point:
    """One hour or day of the chart."""

    label: str
    good: int
    refused: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a page shows of a window."""

    window: Window
    points: list[Point]
    outcomes: list[Row]
    tools: list[Row]
    clients: list[Row]
    ranking: Ranking | None  # None: the window is one key's

    @property
    def good(self) -> int:
        """Requests that were let through."""
        return sum(point.good for point in self.points)

    @property
    def refused(self) -> int:
        """Requests that were refused."""
        return sum(point.refused for point in self.points)

    @property
    def total(self) -> int:
        """All requests."""
        return self.good + self.refused

    @property
    def refused_percent(self) -> float:
        """Refusals in a hundred requests."""
        return 100 * self.refused / self.total if self.total else 0.0

    @property
    def good_pairs(self) -> list[tuple[str, int]]:
        """For a chart of what was let through."""
        return [(point.label, point.good) for point in self.points]

    @property
    def refused_pairs(self) -> list[tuple[str, int]]:
        """For a chart of refusals."""
        return [(point.label, point.refused) for point in self.points]


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a key's own page shows: SPARK_DAYS days (UTC), refusals, and where it was seen last."""

    pairs: list[tuple[str, int]]
    refusals: list[Row]
    sightings: list[Sighting]

    @property
    def total(self) -> int:
        """Requests of those days that were let through."""
        return sum(count for _label, count in self.pairs)

    @property
    def refused(self) -> int:
        """Requests of those days that were refused."""
        return sum(row.total for row in self.refusals)


def usage(found: Window, *, now: datetime | None = None) -> Usage:
    """Everything that the page shows of a window: five queries, six in a time zone."""
    points, outcomes = course(found)
    tools, clients = _tools_and_clients(found)
    ranking = None if found.key_id else key_ranking(found, now=now)
    return Usage(found, points, outcomes, tools, clients, ranking)


def course(found: Window) -> tuple[list[Point], list[Row]]:
    """The points of the chart of a window, and how often each outcome occurred in it: one query."""
    labels = _labels(found)
    good, refused = [0] * len(labels), [0] * len(labels)
    by_code: dict[str, int] = {}
    for place, code, total in _counts(found):
        by_code[code] = by_code.get(code, 0) + total
        if 0 <= place < len(labels):  # an MCP server's clock may run ahead of ours
            side = good if code == Code.VALID else refused
            side[place] += total
    return [Point(*each) for each in zip(labels, good, refused, strict=True)], _outcomes(by_code)


def _counts(found: Window) -> Iterator[tuple[int, str, int]]:
    """(which hour or day of the chart, outcome, how often).

    PostgreSQL sums hours to days of the time zone: 90 days have 2,160 of them, and their moments take longer to read
    than to sum. SQLite has no time zones; its moments cost little.
    An hour that two days share (a zone of half hours) goes to the earlier one: it begins before the later.
    """
    first = found.start.astimezone(found.zone).date()
    rows = found.outcomes.order_by().annotate(moment=F("period"))
    if connection.vendor == "postgresql" and not found.by_hour:
        rows = found.outcomes.order_by().annotate(moment=TruncDate("period", tzinfo=found.zone))
    for moment, code, total in rows.values_list("moment", "code").annotate(total=Sum("count")):
        if found.by_hour:
            yield (moment - found.start) // timedelta(hours=1), code, total
        else:
            day = moment.astimezone(found.zone).date() if isinstance(moment, datetime) else moment
            yield (day - first).days, code, total


def daily_uses(keys: Iterable[Key], *, now: datetime | None = None) -> dict[str, list[int]]:
    """Key id → requests let through on each of the last SPARK_DAYS days (UTC), for those of `keys` that had any."""
    places = {day: place for place, day in enumerate(_days_until(now))}
    found: dict[str, list[int]] = {}
    rows = UsageDay.objects.filter(_GOOD, key_id__in=[key.pk for key in keys], period__in=places)
    for key_id, period, total in rows.values_list("key_id", "period").annotate(total=Sum("count")):
        found.setdefault(key_id, [0] * SPARK_DAYS)[places[period]] = total
    return found


def key_use(key: Key | Connection, *, now: datetime | None = None) -> KeyUse:
    """What the page of `key`, or of a connection, shows: two queries."""
    days = _days_until(now)
    counts = dict.fromkeys(days, 0)
    by_code: dict[str, int] = {}
    rows = UsageDay.objects.filter(key_id=key.pk, company_id=key.company_id, period__gte=days[0])
    for row in rows.values("period", "code").annotate(total=Sum("count")):
        if row["code"] != Code.VALID:
            by_code[row["code"]] = by_code.get(row["code"], 0) + row["total"]
        elif row["period"] in counts:
            counts[row["period"]] += row["total"]
    seen = Sighting.objects.filter(key_id=key.pk, company_id=key.company_id).order_by("-last_at", "pk")
    return KeyUse(
        pairs=[(short_day(day.date()), count) for day, count in counts.items()],
        refusals=_outcomes(by_code),
        sightings=list(seen[:ROWS]),
    )


def table(found: Window) -> Iterator[tuple[str, ...]]:
    """Every count of a window as words, in order of time, for a file: first the names of the columns."""
    yield ("from", "key_id", "key", "server", "tool", "client", "outcome", "count")
    rows = found.rows
    names = dict(found.company.keys.values_list("pk", "name"))
    used = {pk for part in found.parts for pk in part.order_by().values_list("server_id", flat=True).distinct()}
    servers = dict(McpServer.objects.filter(pk__in=used).values_list("pk", "name"))
    for row in rows.order_by("period", "key_id", "server_id", "tool", "client", "code").iterator(chunk_size=2000):
        yield (
            row.period.astimezone(found.zone).isoformat(timespec="minutes"),
            row.key_id,
            names.get(row.key_id, ""),
            servers.get(row.server_id, row.server_id),
            row.tool,
            row.client,
            row.code,
            str(row.count),
        )


def _labels(found: Window) -> list[str]:
    """The hours or days of the chart in words."""
    if found.by_hour:
        hours = [found.start + timedelta(hours=number) for number in range(24)]
        return [f"{hour.astimezone(found.zone):%H:%M}" for hour in hours]
    first = found.start.astimezone(found.zone).date()
    return [short_day(first + timedelta(days=number)) for number in range(found.days)]


def _outcomes(by_code: dict[str, int]) -> list[Row]:
    """Every outcome that occurred, in the order of the closed list, with its sentence."""
    return [
        Row(code.value, by_code[code.value], message=MEANINGS[code].message) for code in Code if code.value in by_code
    ]


def _tools_and_clients(found: Window) -> tuple[list[Row], list[Row]]:
    """The tools and the clients with most requests: one query for each part of the window."""
    tools, clients = Tally(), Tally()
    for part in found.parts:
        for row in part.order_by().values("tool", "client").annotate(total=Sum("count"), good=GOOD_SUM):
            tools.add(row["tool"], row["total"], row["total"] - row["good"])
            clients.add(row["client"], row["total"], row["total"] - row["good"])
    return tools.top(), clients.top()


def _days_until(now: datetime | None) -> list[datetime]:
    today = (now or timezone.now()).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [today - timedelta(days=number) for number in reversed(range(SPARK_DAYS))]
