"""Reading incidents. What was revoked is read from the audit record, by the incident; figures are kept a minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.core.cache import cache
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.utils import timezone

from keys.models import Key
from keys.oauth.models import Connection
from keys.usage.models import Sighting, UsageDay
from keys.verdicts import Code
from portal.audit.models import AuditEvent
from portal.companies.models import Company
from portal.incidents.models import Incident, IncidentNotice
from portal.ui.times import short_day

REVOKED: Final = ("key:revoked", "connection:revoked")
CHART_DAYS: Final = 14
LOOKED_AT: Final = 1000  # keys whose calls a page adds up; the file has those of all
SEARCHED: Final = 5000
SHOWN: Final = 200  # acts of a timeline
_GOOD: Final = Q(code=Code.VALID.value)
_AFTER: Final = Q(code=Code.REVOKED.value)


def incidents(*, query: str = "", state: str = "") -> QuerySet[Incident]:
    """Incidents by id or words of the title, and state."""
    found = Incident.objects.all()
    if query:
        # Words inside a title follow no index: they are looked for in so many as stand first in the list.
        latest = Incident.objects.order_by("-opened_at", "id").values("pk")[:SEARCHED]
        found = found.filter(Q(pk=query) | Q(title__icontains=query, pk__in=latest))
    return found.filter(state=state) if state else found


def open_incidents() -> list[Incident]:
    """The latest open ones, to choose from."""
    return list(Incident.objects.filter(state="open").order_by("-opened_at", "id")[:30])


def revocations(incident: Incident) -> QuerySet[AuditEvent]:
    """An event for each key and connection that was revoked under `incident`."""
    return AuditEvent.objects.filter(incident_id=incident.pk, action__in=REVOKED)


def affected_company_ids(incident: Incident) -> list[str]:
    """The companies that had something revoked: one query."""
    return list(revocations(incident).order_by().values_list("chain", flat=True).distinct())


@dataclass(frozen=True, slots=True)
class Affected:
    """How much was revoked, of how many companies, and between when."""

    keys: int
    connections: int
    companies: int
    first_at: datetime | None
    last_at: datetime | None


def affected(incident: Incident, *, fresh: bool = False) -> Affected:
    """The figures of `incident`: one query, at most once a minute."""
    name = f"incidents:affected:{incident.pk}"
    found: Affected | None = None if fresh else cache.get(name)
    if found is None:
        row = revocations(incident).aggregate(
            keys=Count("pk", filter=Q(action="key:revoked")),
            connections=Count("pk", filter=Q(action="connection:revoked")),
            companies=Count("chain", distinct=True),
            first_at=Min("at"),
            last_at=Max("at"),
        )
        found = Affected(**row)
        cache.set(name, found, 60)
    return found


def affected_companies(incident: Incident, most: int = 50) -> list[tuple[Company, int, int]]:
    """The companies with how much each had revoked and how many of its owners were told, the most affected first."""
    rows = revocations(incident).order_by().values("chain").annotate(number=Count("pk")).order_by("-number", "chain")
    numbers = dict(rows.values_list("chain", "number")[:most])
    companies = Company.objects.in_bulk(numbers)
    told = dict(
        IncidentNotice.objects.filter(incident=incident, company_id__in=numbers)
        .order_by()
        .values_list("company_id")
        .annotate(Count("pk"))
    )
    return [(companies[pk], number, told.get(pk, 0)) for pk, number in numbers.items() if pk in companies]


def acts(incident: Incident) -> list[AuditEvent]:
    """What was done, the latest first: everything but single revocations, and those too while they are few."""
    events = AuditEvent.objects.filter(incident_id=incident.pk).order_by("-id")
    few = list(events[: SHOWN + 1])
    return few if len(few) <= SHOWN else list(events.exclude(action__in=REVOKED)[:SHOWN])


@dataclass(frozen=True, slots=True)
class Calls:
    """What the revoked keys did: let through before, refused since, by day; and from where."""

    days: list[tuple[date, int]]
    refused_days: list[tuple[date, int]]
    before: int
    after: int
    seen: list[dict[str, Any]]
    partial: bool

    @property
    def good_pairs(self) -> list[tuple[str, int]]:
        """For a chart of what was let through."""
        return [(short_day(day), number) for day, number in self.days]

    @property
    def refused_pairs(self) -> list[tuple[str, int]]:
        """For a chart of refusals."""
        return [(short_day(day), number) for day, number in self.refused_days]


def calls(incident: Incident) -> Calls:
    """Calls by what was revoked, of the first LOOKED_AT of it: three queries, at most once a minute."""
    name = f"incidents:call-days:{incident.pk}"
    found: Calls | None = cache.get(name)
    if found is None:
        ids = list(revocations(incident).order_by("id").values_list("target_id", flat=True)[: LOOKED_AT + 1])
        found = _calls(ids[:LOOKED_AT], partial=len(ids) > LOOKED_AT)
        cache.set(name, found, 60)
    return found


def _calls(ids: list[str], *, partial: bool) -> Calls:
    today = timezone.now().astimezone(UTC).date()
    days = [today - timedelta(days=number) for number in reversed(range(CHART_DAYS))]
    good: dict[date, int] = dict.fromkeys(days, 0)
    refused: dict[date, int] = dict.fromkeys(days, 0)
    start = datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC)
    rows = UsageDay.objects.filter(key_id__in=ids, period__gte=start).order_by().values("period")
    for row in rows.annotate(good=Sum("count", filter=_GOOD, default=0), after=Sum("count", filter=_AFTER, default=0)):
        day = row["period"].astimezone(UTC).date()
        if day in good:
            good[day], refused[day] = row["good"], row["after"]
    seen: Any = (
        Sighting.objects.filter(key_id__in=ids)
        .order_by()
        .values("address", "client")
        .annotate(number=Sum("count"), keys=Count("key_id", distinct=True), last_at=Max("last_at"))
        .order_by("-last_at")[:20]
    )
    return Calls(
        list(good.items()),
        list(refused.items()),
        sum(good.values()),
        sum(refused.values()),
        list(seen),
        partial,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One revoked key or connection, for a file."""

    event: AuditEvent
    company: str
    user: str
    server: str
    made_at: datetime | None
    last_used_at: datetime | None
    before: int
    after: int
    addresses: list[str]


def rows(incident: Incident, *, most: int | None = None) -> Iterator[Row]:
    """Every revoked key and connection, in the order of the acts: a few queries for 500 of them, whatever the number.

    Calls are those of the last 30 days until the end of usage as it is kept now.
    """
    last, left = 0, most
    while left is None or left > 0:
        size = 500 if left is None else min(500, left)
        events = list(revocations(incident).filter(pk__gt=last).order_by("pk")[:size])
        if not events:
            return
        yield from _filled(events)
        last = events[-1].pk
        left = None if left is None else left - len(events)


def _filled(events: list[AuditEvent]) -> Iterator[Row]:
    ids = [event.target_id for event in events]
    found: dict[str, Any] = dict(Key.objects.select_related("user", "server").defer("digest").in_bulk(ids))
    found |= Connection.objects.select_related("user", "server").in_bulk(ids)
    companies = dict(Company.objects.filter(pk__in={event.chain for event in events}).values_list("pk", "name"))
    since = timezone.now() - timedelta(days=30)
    used = UsageDay.objects.filter(key_id__in=ids, period__gte=since).order_by().values("key_id")
    used = used.annotate(good=Sum("count", filter=_GOOD, default=0), after=Sum("count", filter=_AFTER, default=0))
    calls_of = {row["key_id"]: (row["good"], row["after"]) for row in used}
    addresses: dict[str, list[str]] = {}
    for key_id, address in (
        Sighting.objects.filter(key_id__in=ids).order_by("key_id", "pk").values_list("key_id", "address")
    ):
        seen = addresses.setdefault(key_id, [])
        if address and address not in seen and len(seen) < 10:
            seen.append(address)
    for event in events:
        row = found.get(event.target_id)
        before, after = calls_of.get(event.target_id, (0, 0))
        yield Row(
            event,
            companies.get(event.chain, event.chain),
            row.user.email if row else "",
            row.server.name if row else "",
            row.created_at if row else None,
            row.last_used_at if row else None,
            before,
            after,
            addresses.get(event.target_id, []),
        )
