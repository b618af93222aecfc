"""The use of a company's keys at a glance: today and yesterday, two weeks as a chart, refusals with their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import Sum
from django.utils import timezone

from keys.usage.models import OutcomeHour
from keys.usage.rows import Row
from keys.usage.selectors import Point, course
from keys.usage.windows import window
from keys.verdicts import Code
from portal.companies.models import Company

DAYS: Final = 14
REFUSALS: Final = 5


@dataclass(frozen=True, slots=True)
class Glance:
    """What the overview shows. `yesterday`: until this time of day."""

    today: int
    yesterday: int
    points: list[Point]
    refusals: list[Row]

    @property
    def trend(self) -> int | None:
        """By how many percent today has more calls than yesterday had by now; None without a yesterday."""
        return round(100 * (self.today - self.yesterday) / self.yesterday) if self.yesterday else None

    @property
    def good_pairs(self) -> list[tuple[str, int]]:
        """For the chart."""
        return [(point.label, point.good) for point in self.points]

    @property
    def good(self) -> int:
        """Calls of all days that were let through."""
        return sum(point.good for point in self.points)

    @property
    def refused(self) -> int:
        """Calls of all days that were refused."""
        return sum(row.total for row in self.refusals)


def glance(company: Company, zone: ZoneInfo, *, now: datetime | None = None) -> Glance:
    """The glance of `company`, days as in its time zone: two queries."""
    now = now or timezone.now()
    today, yesterday = _two_days(company, zone, now)
    points, outcomes = course(window(company, DAYS, zone, now=now))
    refusals = sorted((row for row in outcomes if row.value != Code.VALID), key=lambda row: -row.total)
    return Glance(today, yesterday, points, refusals[:REFUSALS])


def _two_days(company: Company, zone: ZoneInfo, now: datetime) -> tuple[int, int]:
    """Calls of today, and of yesterday until this time: of the hour that goes on, as much of it as has passed."""
    here = now.astimezone(zone)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    before = (midnight - timedelta(hours=12)).replace(hour=0)  # also over a change of the clock
    same_time = now - (midnight - before)
    hour = same_time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    passed = (same_time - hour) / timedelta(hours=1)
    rows = OutcomeHour.objects.filter(company_id=company.pk, period__gte=before, code=Code.VALID.value)
    today = yesterday = 0.0
    for row in rows.values("period").annotate(total=Sum("count")):
        if row["period"] >= midnight:
            today += row["total"]
        elif row["period"] < hour:
            yesterday += row["total"]
        elif row["period"] == hour:
            yesterday += row["total"] * passed
    return round(today), round(yesterday)
