"""The span of time that a page of usage is about, and the counts in it: of one key, or of a company whatever its keys.

Counts by company have no key in them. They are as many as the company has tools and AI clients, so that a page costs
the same with ten keys and with ten thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils import timezone

from keys.usage.models import CompanyDay, CompanyHour, OutcomeHour, UsageDay, UsageHour
from portal.companies.models import Company

SPANS: Final = (1, 7, 30, 90)  # days that the page offers; the first is shown by hours
USUAL_SPAN: Final = 30


@dataclass(frozen=True, slots=True)
class Window:
    """The counts from `start` on, in hours or days of `zone`; `key_id` narrows them to one key."""

    company: Company
    days: int
    start: datetime
    zone: ZoneInfo
    exact: bool  # counted by the hour, so that days are those of the company's time zone
    key_id: str = ""

    @property
    def by_hour(self) -> bool:
        """Whether a point of the chart is an hour."""
        return self.days == SPANS[0]

    @property
    def rows(self) -> QuerySet[Any]:
        """Every count of each key, hour by hour or day by day."""
        return self._of(UsageHour if self.exact else UsageDay)

    @property
    def outcomes(self) -> QuerySet[Any]:
        """Counts of every hour or day by outcome, to draw a chart of: hours where the days are those of `zone`."""
        if self.key_id:
            return self.rows
        return self._of(OutcomeHour if self.exact else CompanyDay)

    @property
    def parts(self) -> list[QuerySet[Any]]:
        """Counts by tool and client that together hold each request once."""
        return self.key_parts if self.key_id else self._parts(CompanyHour, CompanyDay)

    @property
    def key_parts(self) -> list[QuerySet[Any]]:
        """The same by key."""
        return self._parts(UsageHour, UsageDay)

    def _parts(self, hours: type[Model], days: type[Model]) -> list[QuerySet[Any]]:
        """Whole days (UTC) from `days`, and what lies before the first of them from `hours`: a day at most."""
        if self.by_hour:
            return [self._of(hours)]
        if not self.exact:
            return [self._of(days)]
        midnight = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        if midnight == self.start:
            return [self._of(days)]
        whole = midnight + timedelta(days=1)
        return [self._of(hours).filter(period__lt=whole), self._of(days).filter(period__gte=whole)]

    def _of(self, table: type[Model]) -> QuerySet[Any]:
        found: QuerySet[Any] = table._default_manager.filter(company_id=self.company.pk, period__gte=self.start)
        return found.filter(key_id=self.key_id) if self.key_id else found


def window(company: Company, days: int, zone: ZoneInfo, *, key_id: str = "", now: datetime | None = None) -> Window:
    """The last `days` days of `company` until `now`: 24 whole hours for one day, else whole days of `zone`.

    Days of a time zone are added up from hours; where those are not kept so long, days are those of UTC.
    """
    now = now or timezone.now()
    if days == SPANS[0]:
        start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
        return Window(company, days, start, zone, True, key_id)
    exact = str(zone) != "UTC" and days <= settings.USAGE_HOURS_KEPT_DAYS
    zone = zone if exact else ZoneInfo("UTC")
    first = now.astimezone(zone).date() - timedelta(days=days - 1)
    start = datetime(first.year, first.month, first.day, tzinfo=zone).astimezone(UTC)
    return Window(company, days, start, zone, exact, key_id)
