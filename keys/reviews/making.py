"""Making the reviews of a month: in batches of companies, each in a few queries, safe to stop and to begin again."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from keys.models import Key, McpServer
from keys.oauth.models import Connection
from keys.reviews.advice import UNUSED, Facts, recommend
from keys.reviews.models import Review
from keys.usage.models import UsageDay
from portal.companies.models import Company, CompanyState

BATCH: Final = 200
BUDGET_SECONDS: Final = 180.0
TOOLS_KEPT: Final = 10


def make_due(now: datetime | None = None, *, budget: float = BUDGET_SECONDS) -> int:
    """Make this month's review for each active company that has something to review and none yet; how many were made.

    Stops after `budget` seconds: the next run goes on. Companies that began this month have theirs next month.
    """
    now = now or timezone.now()
    began, made, after = time.monotonic(), 0, ""
    while time.monotonic() - began < budget:
        companies = list(_due(now).filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not companies:
            break
        after = companies[-1]
        made += len(make_for(companies, now))
    return made


def month_of(now: datetime) -> date:
    """The first day of the month of `now`, UTC."""
    return now.astimezone(UTC).date().replace(day=1)


def _due(now: datetime) -> Any:
    month = month_of(now)
    keys = Key.objects.usable(now).filter(company=OuterRef("pk"))
    connections = Connection.objects.usable(now).filter(company=OuterRef("pk"))
    begun = datetime(month.year, month.month, 1, tzinfo=UTC)
    return Company.objects.filter(
        Exists(keys) | Exists(connections),
        ~Exists(Review.objects.filter(company=OuterRef("pk"), month=month)),
        state=CompanyState.ACTIVE,
        created_at__lt=begun,
    )


def make_for(companies: list[str], now: datetime) -> list[Review]:
    """The reviews of `companies` (ids): five queries, whatever their number. One that is there already stays."""
    keys = list(
        Key.objects.usable(now).filter(company__in=companies).order_by("company_id", "name", "pk").defer("digest")
    )
    connections = list(Connection.objects.usable(now).filter(company__in=companies).order_by("client_name", "pk"))
    servers = McpServer.objects.in_bulk({one.server_id for one in [*keys, *connections]})
    tools = _tools([one.pk for one in [*keys, *connections]], now)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in [*keys, *connections]:
        rows[one.company_id].append(_row(one, servers[one.server_id], tools.get(one.pk, []), now))
    reviews = [
        Review(company_id=pk, month=month_of(now), rows=rows[pk], created_at=now) for pk in companies if rows[pk]
    ]
    return Review.objects.bulk_create(reviews, batch_size=BATCH, ignore_conflicts=True)


def _tools(ids: list[str], now: datetime) -> dict[str, list[str]]:
    """Which tools each was let through to in the last 90 days."""
    found: dict[str, list[str]] = defaultdict(list)
    used = UsageDay.objects.filter(~Q(tool=""), period__gte=now - UNUSED, code="VALID")
    for start in range(0, len(ids), 5000):
        of_these = used.filter(key_id__in=ids[start : start + 5000])
        for key_id, tool in of_these.order_by("key_id", "tool").values_list("key_id", "tool").distinct():
            found[key_id].append(tool)
    return found


def _row(one: Key | Connection, server: McpServer, tools: list[str], now: datetime) -> dict[str, Any]:
    is_key = isinstance(one, Key)
    expires_at = one.ends_at if isinstance(one, Key) else one.expires_at
    facts = Facts(
        is_key=is_key, created_at=one.created_at, last_used_at=one.last_used_at, expires_at=expires_at,
        scopes=one.scopes, tools=tools, read_only_tools=server.read_only_tools,
    )  # fmt: skip
    advice, why = recommend(facts, now)
    return {
        "kind": "key" if is_key else "connection",
        "id": one.pk,
        "name": one.name if isinstance(one, Key) else one.client_name,
        "hint": one.hint if isinstance(one, Key) else "",
        "user": one.user_id,
        "server": server.name,
        "scopes": one.scopes,
        "created_at": one.created_at.isoformat(),
        "last_used_at": one.last_used_at.isoformat() if one.last_used_at else None,
        "expires_at": expires_at.isoformat() if expires_at else None,
        "advice": str(advice),
        "why": str(why),
        "tools": tools[:TOOLS_KEPT],
    }
