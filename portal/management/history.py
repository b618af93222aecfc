"""What filled companies and keys have behind them: audit events, usage, connections and what else grows with them.

Invented, but whole: chains verify, counts of a day are those that a page would add up.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from keys.leaks.models import Leak
from keys.models import McpServer
from keys.oauth.models import Connection
from keys.reviews.models import Review
from keys.usage.models import Sighting, UsageDay, UsageHour
from keys.usage.recounting import recount_days
from keys.webhooks.models import Delivery, Endpoint, Event
from portal.accounts.models import SignIn
from portal.audit.actors import Actor
from portal.audit.models import ActorKind, AuditChain, AuditEvent
from portal.audit.services import PLATFORM, Target, made_event
from portal.ids import new_id
from portal.incidents.models import Incident
from portal.jobs.models import DeadLetter
from portal.management.copying import copy

DAYS: Final = 90
TOOLS: Final = ("get_companies", "get_users", "get_orders", "get_products", "create_order")
CLIENTS: Final = ("Gemini CLI", "Claude Code", "Cursor", "Codex", "VS Code", "Goose")
ACTIONS: Final = ("key:created", "key:updated", "key:rotated", "key:overlap_ended", "key:revoked")


@dataclass(slots=True)
class Filled:
    """What was filled before. `tenants[n]` is the company of `people[n]`; `keys`: the company's number and the id of
    each; `busy`: those of them that are used.
    """

    server: McpServer
    tenants: list[str]
    people: list[str]
    keys: list[tuple[int, str]]
    busy: list[tuple[int, str]]
    now: datetime = field(default_factory=timezone.now)


class History:
    """Makes `events` audit events, `usage` rows of counted use and `connections`, and a like share of the rest."""

    def __init__(self, filled: Filled) -> None:
        self.filled, self.now = filled, filled.now
        # Invented rows: speed counts, and nothing is to be protected.
        self.random = random.Random()  # noqa: S311  # nosec B311

    def load(self, *, events: int, usage: int, connections: int) -> None:
        """Load all of it."""
        if usage and self.filled.busy:
            hour = self.now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            day = hour.replace(hour=0)
            columns = ("period", "server_id", "company_id", "key_id", "code", "tool", "client", "count")
            copy(UsageDay, columns, self._usage(usage // 2, [day - timedelta(days=back) for back in range(DAYS)]))
            copy(
                UsageHour,
                columns,
                self._usage(usage - usage // 2, [hour - timedelta(hours=back) for back in range(48)]),
            )
            recount_days(DAYS, day)
            copy(
                Sighting,
                ("key_id", "company_id", "address", "client", "tool", "code", "first_at", "last_at", "count"),
                self._sightings(usage // 5),
            )
        if events:
            self._audit(events)
            self._rare(events)
        if connections:
            copy(
                Connection,
                ("id", "company_id", "server_id", "user_id", "client_name", "scopes", "created_at", "approved_at",
                 "expires_at", "revoked_at", "revoked_reason", "last_used_at"),
                self._connections(connections),
            )  # fmt: skip

    def _usage(self, count: int, periods: list[datetime]) -> Iterator[tuple[Any, ...]]:
        """`count` rows: every busy key in the latest period, then in the one before…"""
        made, turn = 0, 0
        while made < count:
            for number, (tenant, key_id) in enumerate(self.filled.busy):
                if made == count:
                    return
                made += 1
                code = "VALID" if (number + turn) % 10 else "INSUFFICIENT_SCOPE"
                yield (
                    periods[turn % len(periods)], self.filled.server.pk, self.filled.tenants[tenant], key_id, code,
                    f"{TOOLS[number % len(TOOLS)]}{turn // len(periods) or ''}", CLIENTS[number % len(CLIENTS)],
                    self.random.randrange(1, 500),
                )  # fmt: skip
            turn += 1

    def _sightings(self, count: int) -> Iterator[tuple[Any, ...]]:
        busy = self.filled.busy
        for number in range(count):
            tenant, key_id = busy[number % len(busy)]
            turn = number // len(busy)
            at = self._moment(DAYS)
            yield (
                key_id, self.filled.tenants[tenant], f"10.{turn % 250}.{number // 250 % 250}.{number % 250}",
                CLIENTS[number % len(CLIENTS)], "get_companies", "VALID", at, at, 5,
            )  # fmt: skip

    def _audit(self, count: int) -> None:
        """A tenth on the platform's chain, a tenth on the first company's, the others spread."""
        ends: dict[str, tuple[int, str]] = {PLATFORM: self._end()}
        copy(
            AuditEvent,
            ("chain", "number", "at", "action", "actor_kind", "actor_id", "target_kind", "target_id", "reason", "data",
             "request_id", "incident_id", "personal_digest", "previous_hash", "hash", "personal_salt", "actor_label",
             "target_label", "ip", "user_agent"),
            self._events(count, ends),
        )  # fmt: skip
        platform = ends.pop(PLATFORM)
        AuditChain.objects.update_or_create(name=PLATFORM, defaults={"length": platform[0], "head": platform[1]})
        copy(AuditChain, ("name", "length", "head"), ((name, *end) for name, end in ends.items()))

    def _end(self) -> tuple[int, str]:
        chain = AuditChain.objects.filter(name=PLATFORM).first() or AuditChain(name=PLATFORM)
        return chain.length, chain.head

    def _events(self, count: int, ends: dict[str, tuple[int, str]]) -> Iterator[tuple[Any, ...]]:
        none = AuditChain().head
        start, step = self.now - timedelta(days=300), timedelta(days=300) / count
        for number in range(count):
            on_platform = number % 10 == 0
            tenant, key_id = self.filled.keys[0 if number % 10 == 1 else self.random.randrange(len(self.filled.keys))]
            chain = PLATFORM if on_platform else self.filled.tenants[tenant]
            length, head = ends.get(chain, (0, none))
            person = f"Person {tenant}"
            event = made_event(
                "account:signed_in" if on_platform else ACTIONS[number % len(ACTIONS)],
                chain=chain,
                number=length + 1,
                previous_hash=head,
                at=start + number * step,
                actor=Actor(ActorKind.USER, self.filled.people[tenant], person, "192.0.2.1", "Firefox 140"),
                target=Target("user", self.filled.people[tenant], person)
                if on_platform
                else Target("key", key_id, f"Key {number}"),
                reason="",
                data={} if on_platform else {"server": self.filled.server.pk},
                incident_id="",
                request_id=f"fill{number:028d}",
            )
            ends[chain] = (event.number, event.hash)
            yield (
                event.chain, event.number, event.at, event.action, str(event.actor_kind), event.actor_id,
                event.target_kind, event.target_id, event.reason, json.dumps(event.data), event.request_id,
                event.incident_id, event.personal_digest, event.previous_hash, event.hash, event.personal_salt,
                event.actor_label, event.target_label, event.ip, event.user_agent,
            )  # fmt: skip

    def _connections(self, count: int) -> Iterator[tuple[Any, ...]]:
        for number in range(count):
            tenant, made = number % len(self.filled.tenants), self._moment(300)
            revoked, over = number % 10 == 3, number % 10 == 7
            yield (
                new_id(), self.filled.tenants[tenant], self.filled.server.pk, self.filled.people[tenant],
                CLIENTS[number % len(CLIENTS)], '["tools:*"]', made, made,
                self.now - timedelta(days=1) if over else None, self.now if revoked else None,
                "Filled" if revoked else "", made,
            )  # fmt: skip

    def _rare(self, events: int) -> None:
        """What there is less of: incidents, leaks, failed tasks, sign-ins, webhooks, access reviews."""
        tenants, people, few = self.filled.tenants, self.filled.people, max(1, events // 1000)
        copy(
            Incident,
            ("id", "title", "kind", "state", "opened_at", "opened_by_label", "closed_at"),
            ((new_id(), f"Incident {number}", "manual", "closed", at := self._moment(300), "Staff", at)
             for number in range(few)),
        )  # fmt: skip
        copy(
            Leak,
            ("id", "company_id", "kind", "subject_id", "subject_name", "hint", "source", "url", "outcome",
             "reported_at", "last_reported_at", "told_at"),
            ((new_id(), tenants[tenant], "key", key_id, "Leaked", f"lk_live_{key_id}", "github",
              f"https://git.example.com/{number}", "revoked", at := self._moment(300), at, at)
             for number, (tenant, key_id) in enumerate(self.filled.keys[: few * 10])),
        )  # fmt: skip
        copy(
            DeadLetter,
            ("id", "task", "task_id", "arguments", "error", "failed_at", "outcome", "settled_at"),
            ((new_id(), "mail.send", new_id(), "[]", "SMTPException", at := self._moment(300), "dismissed", at)
             for number in range(few)),
        )  # fmt: skip
        copy(
            SignIn,
            ("user_id", "at", "succeeded", "method", "ip", "user_agent"),
            ((people[number % len(people)], self._moment(DAYS), True, "password", "192.0.2.1", "Firefox 140")
             for number in range(events // 10)),
        )  # fmt: skip
        month = self.now.date().replace(day=1)
        copy(
            Review,
            ("id", "company_id", "month", "rows", "created_at", "told_at", "approved_at"),
            ((new_id(), tenant, month, "[]", self.now, self.now, self.now if number % 2 else None)
             for number, tenant in enumerate(tenants)),
        )  # fmt: skip
        self._webhooks(tenants[: few * 2], month)

    def _webhooks(self, tenants: list[str], month: date) -> None:
        """An endpoint for some companies; the first one was told much."""
        endpoints = [new_id() for _ in tenants]
        copy(
            Endpoint,
            ("id", "company_id", "url", "event_types", "secret", "created_at"),
            ((endpoint, tenant, "https://hooks.example.com/in", "[]", "", self.now)
             for endpoint, tenant in zip(endpoints, tenants, strict=True)),
        )  # fmt: skip
        told = [(new_id(), self._moment(30), number) for number in range(len(tenants) * 10)]
        copy(
            Event,
            ("id", "type", "company_id", "data", "created_at"),
            ((event, "key.updated", tenants[0 if n % 2 else n // 2 % len(tenants)], "{}", at) for event, at, n in told),
        )
        copy(
            Delivery,
            ("id", "event_id", "endpoint_id", "state", "attempts", "next_attempt_at", "response_status", "created_at",
             "finished_at"),
            ((new_id(), event, endpoints[0 if n % 2 else n // 2 % len(tenants)], "delivered", 1, None, 200, at, at)
             for event, at, n in told),
        )  # fmt: skip

    def _moment(self, days: int) -> datetime:
        return self.now - timedelta(seconds=self.random.randrange(days * 86_400))
