"""What the dashboard shows: figures that the worker counted, and small reads that are kept a minute."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.core.cache import cache
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from keys import polls
from keys.models import Key, McpServer
from keys.oauth.models import Connection, ConnectionState
from keys.verdicts import MEANINGS, Code
from keys.webhooks.models import Endpoint
from portal.companies.models import Company
from portal.counting import counts
from portal.staff.figures import figure
from portal.staff.models import Figure

SIGN_UP_DAYS: Final = 30
SERVERS: Final = 20
LATE_POLL: Final = 5.0  # seconds beyond what is noted: verifiers ask twice a second

RISKS: Final[dict[str, tuple[str | Promise, str]]] = {
    "no_expiry": (_("Without expiry"), "no_expiry=on"),
    "unused": (_("Not used for 90 days"), ""),
    "addresses": (_("Used from more than 20 addresses in a week"), ""),
    "rise": (_("Ten times as many calls as usual today"), ""),
    "old_value": (_("Old value used after its rotation"), ""),
}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Calls of the last 24 hours: let through and refused by the hour, refusals by reason."""

    good: list[tuple[str, int]]
    refused: list[tuple[str, int]]
    reasons: list[tuple[str, str, int]]
    at: datetime

    @property
    def total_good(self) -> int:
        """All that were let through."""
        return sum(number for _label, number in self.good)

    @property
    def total_refused(self) -> int:
        """All that were refused."""
        return sum(number for _label, number in self.refused)


def verdicts(kept: Mapping[str, Figure] | None = None) -> Verdicts | None:
    """The counted verdicts; None before the worker counted. `kept`: all figures, if they are at hand."""
    row = _figure("verdicts", kept)
    if row is None:
        return None
    hours = {datetime.fromisoformat(hour): codes for hour, codes in row.value["hours"].items()}
    valid = Code.VALID.value
    reasons: dict[str, int] = {}
    for codes in hours.values():
        for code, number in codes.items():
            if code != valid:
                reasons[code] = reasons.get(code, 0) + number
    return Verdicts(
        [(f"{hour:%H:%M}", codes.get(valid, 0)) for hour, codes in sorted(hours.items())],
        [(f"{hour:%H:%M}", sum(codes.values()) - codes.get(valid, 0)) for hour, codes in sorted(hours.items())],
        [
            (code, str(MEANINGS[Code(code)].message), number)
            for code, number in sorted(reasons.items(), key=lambda item: -item[1])
        ],
        row.at,
    )


def most_refused(kept: Mapping[str, Figure] | None = None) -> list[tuple[Key, int]]:
    """The keys that were refused most today, with how often."""
    row = _figure("refused", kept)
    numbers = {key_id: number for key_id, _company, number in row.value} if row else {}
    keys = Key.objects.select_related("company", "server", "user").defer("digest").in_bulk(list(numbers))
    return [(keys[key_id], number) for key_id, number in numbers.items() if key_id in keys]


@dataclass(frozen=True, slots=True)
class Risk:
    """One kind of risk: how many keys have it, a few of them, and a rule that finds them all ('' if there is none)."""

    name: str
    label: str | Promise
    count: int
    keys: list[Key]
    rule: str


def risks(kept: Mapping[str, Figure] | None = None) -> tuple[list[Risk], Figure | None]:
    """The risks that there are, and when they were counted."""
    row = _figure("risks", kept)
    if row is None:
        return [], None
    wanted = [key_id for found in row.value.values() for key_id in found["keys"][:3]]
    keys = Key.objects.select_related("company").defer("digest").in_bulk(wanted)
    rules = {name: rule for name, (_label, rule) in RISKS.items()}
    rules["unused"] = f"unused_since={(row.at - timedelta(days=90)).astimezone(UTC):%Y-%m-%dT%H:%M}"
    return [
        Risk(name, label, found["count"], [keys[one] for one in found["keys"][:3] if one in keys], rules[name])
        for name, (label, _rule) in RISKS.items()
        if (found := row.value.get(name)) and found["count"]
    ], row


def connection_totals() -> dict[str, int]:
    """Connections by state, counted at most once a minute: one query."""

    def count() -> dict[str, int]:
        now = timezone.now()
        numbers = counts(
            {
                "total": Connection.objects.all(),
                "revoked": Connection.objects.filter(revoked_at__isnull=False),
                "expired": Connection.objects.filter(revoked_at=None, expires_at__lte=now),
            }
        )
        revoked, expired = numbers["revoked"], numbers["expired"]
        active = numbers["total"] - revoked - expired
        return {ConnectionState.ACTIVE: active, ConnectionState.EXPIRED: expired, ConnectionState.REVOKED: revoked}

    return _kept("connections", count)


def sign_ups() -> list[tuple[date, int]]:
    """Companies by the day they signed up, counted at most once a minute: one query by index."""

    def count() -> list[tuple[date, int]]:
        today = timezone.now().astimezone(UTC).date()
        days = [today - timedelta(days=number) for number in reversed(range(SIGN_UP_DAYS))]
        start = datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC)
        rows = (
            Company.objects.filter(created_at__gte=start).order_by().annotate(day=TruncDate("created_at", tzinfo=UTC))
        )
        numbers = dict(rows.values_list("day").annotate(Count("pk")))
        return [(day, numbers.get(day, 0)) for day in days]

    return _kept("sign-up-days", count)


@dataclass(frozen=True, slots=True)
class Feed:
    """How an MCP server's verifiers keep up with revocations. `age`: seconds since the last poll, None: none lately."""

    server: McpServer
    age: float | None
    behind: int

    @property
    def is_late(self) -> bool:
        """Whether verifiers may trust what was revoked since: they stop doing so by themselves after a second."""
        return self.age is not None and self.age > polls.NOTED_EVERY + LATE_POLL


def feeds() -> list[Feed]:
    """The MCP servers with their last poll, those that are late first: bounded, at most 2·SERVERS+2 reads."""
    servers = list(McpServer.objects.filter(archived_at=None).select_related("company").order_by("-is_portal", "name")
                   [:SERVERS])  # fmt: skip
    known, now = polls.polls(server.pk for server in servers), time.time()
    found = []
    for server in servers:
        poll = known.get(server.pk)
        late = poll is not None and now - poll.at > polls.NOTED_EVERY + LATE_POLL
        found.append(
            Feed(server, now - poll.at if poll else None, polls.behind(server.pk, poll) if poll and late else 0)
        )
    return sorted(found, key=lambda one: (not one.is_late, one.age is None))


@dataclass(frozen=True, slots=True)
class Webhooks:
    """How webhooks do: endpoints that fail now, and those that were switched off for it."""

    failing: int
    switched_off: int
    worst: list[Endpoint]


def webhooks() -> Webhooks:
    """Endpoints whose receivers do not answer, counted at most once a minute: two queries."""

    def count() -> Webhooks:
        failing = Endpoint.objects.filter(disabled_at=None, failing_since__isnull=False)
        worst = failing.select_related("company").defer("secret").order_by("failing_since")[:5]
        numbers = counts({"failing": failing, "off": Endpoint.objects.filter(disabled_at__isnull=False)})
        return Webhooks(numbers["failing"], numbers["off"], list(worst))

    return _kept("webhooks", count)


def _figure(name: str, kept: Mapping[str, Figure] | None) -> Figure | None:
    return figure(name) if kept is None else kept.get(name)


def _kept(name: str, count: Any) -> Any:
    found = cache.get(f"staff:{name}")
    if found is None:
        found = count()
        cache.set(f"staff:{name}", found, 60)
    return found
