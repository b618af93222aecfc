"""A company in the middle of its work, for pictures of the pages: keys in every state, weeks of use, a few neighbours.

Made by the services that people and machines use, so that the record and the feed tell of it too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, timedelta

from django.db import transaction
from django.utils import timezone

from keys import services
from keys.leaks.finding import Found
from keys.leaks.models import Kind, Source
from keys.leaks.services import Incident, note_leak
from keys.management_tokens.services import create_token
from keys.models import Key, McpServer
from keys.reviews.making import make_for
from keys.servers import services as servers
from keys.usage.models import KeyRanking, UsageDay
from keys.usage.rankings import LIVE
from keys.usage.services import write_batch
from keys.usage.windows import SPANS
from keys.webhooks.endpoints import create_endpoint
from portal.accounts.models import User
from portal.audit.actors import SYSTEM, Actor
from portal.companies.models import Company
from portal.companies.services import activate_company, create_company, suspend_company
from portal.incidents.services import add_note
from portal.management.commands import demo
from portal.staff import figures
from portal.staff.models import Figure
from portal.staff.revocations.rules import Rule
from portal.staff.revocations.runs import start_run, work

NEIGHBOURS = [("Northwind Traders", "EUR"), ("Tailspin Toys", "USD"), ("Lakeside Clinic", "GBP")]
TOOLS = [
    {"name": "get_stock", "title": "Stock of an article", "description": "How many are there.", "read_only": True},
    {"name": "take_stock", "title": "Take from stock", "description": "Book articles out.", "read_only": False},
]
DAYS = 21


@transaction.atomic
def load() -> Company:
    """Fill the demo company; safe to repeat. Returns it."""
    company, portal_server = demo.load()
    if Key.objects.filter(company=company, name="Gemini CLI on my laptop").exists():
        return company
    owner = User.objects.get(email=demo.OWNER["email"])
    developer = User.objects.get(email="dev@example.com")
    actor, stock = Actor.user(owner), _stock_server(company, Actor.user(owner))

    gemini = _key(company, portal_server, owner, "Gemini CLI on my laptop", ["tools:*"], 90, labels=["laptop"])
    code = _key(company, portal_server, developer, "Claude Code", ["tools:read"], 365, labels=["laptop"])
    _key(
        company, stock, developer, "Stock bot", ["tool:get_stock"], 12, allowed_ips=["203.0.113.0/24"],
        labels=["production", "warehouse"],
    )  # fmt: skip
    nightly = _key(
        company, portal_server, owner, "Nightly report", ["tool:get_companies", "tool:get_users"], 365,
        labels=["production"],
    )  # fmt: skip
    servers.create_credential(server=stock, name="Production", actor=actor)
    create_token(
        company=company, user=owner, name="Deploy job", scopes=["keys:read", "keys:write"],
        expires_at=timezone.now() + timedelta(days=90), actor=actor,
    )  # fmt: skip
    newer, _token = services.rotate_key(key=nightly, overlap=timedelta(hours=24), actor=actor)
    leaked = _key(company, portal_server, developer, "Old notebook", ["tools:*"], 90)
    found = Found(Kind.KEY, leaked, company, leaked.name, leaked.hint, True)
    place = "https://github.com/octocat/notes/blob/main/settings.json"
    note_leak(found=found, source=Source.GITHUB, url=place, incident=Incident(Source.GITHUB))

    _use(gemini, "gemini-cli", ["get_companies", "get_users", "whoami"], 40)
    _use(code, "claude-code", ["get_entity_info", "get_companies"], 25)
    _use(nightly, "report", ["get_companies"], 6)
    _use(newer, "report", ["get_companies"], 2, days=1)
    create_endpoint(url="https://hooks.example.com/latchkey", actor=actor, company=company, description="Chat room")

    for name, currency in NEIGHBOURS:
        person = User.objects.create_user(f"{name.split()[0].lower()}@example.com", None, name=f"Owner of {name}")
        neighbour = create_company(name=name, currency=currency, owner=person, actor=Actor.user(person))
        if name != NEIGHBOURS[2][0]:
            activate_company(company=neighbour, actor=SYSTEM)
            _key(neighbour, portal_server, person, "First key", ["tools:*"], 90)
    make_for([company.pk], timezone.now())
    suspend_company(company=neighbour_named(NEIGHBOURS[1][0]), reason="Invoices are open", actor=SYSTEM)
    _incident(neighbour_named(NEIGHBOURS[0][0]), portal_server)
    Figure.objects.all().delete()  # all is counted anew, whatever the worker has counted already
    figures.count_all()
    return company


def _incident(company: Company, server: McpServer) -> None:
    """A leak that was dealt with by a rule, told of and written down."""
    person = company.memberships.get().user
    for number in range(1, 15):
        _key(company, server, person, f"Build agent {number}", ["tools:read"], 90)
    staff = Actor.staff(User.objects.get(email=demo.STAFF["email"]))
    run = start_run(
        rule=Rule(company=company.pk), reason="Leaked: a build log was public", actor=staff,
        title="Keys in a public build log", tell_owners=False,
    )  # fmt: skip
    work(run.pk, seconds=30)
    add_note(incident=run.incident, text="The owner was rung up and makes new keys today.", actor=staff)


@transaction.atomic
def crowd(company: Company) -> int:
    """More counts, two months ago, than a page adds up itself, which nobody counts soon; safe to repeat.

    Returns the days of the span that waits for them.
    """
    now = timezone.now()
    key, days = Key.objects.get(company=company, name="Claude Code"), SPANS[-1]
    period = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=60)
    counted = {"period": period, "server_id": key.server_id, "company_id": company.pk, "key_id": key.pk}
    rows = [UsageDay(**counted, code="VALID", tool=f"report_{number}", count=1) for number in range(LIVE + 1)]
    UsageDay.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    asked = {"asked_at": now + timedelta(days=1), "counted_at": None}
    KeyRanking.objects.update_or_create(company_id=company.pk, days=days, defaults=asked)
    return days


def neighbour_named(name: str) -> Company:
    """One of the other companies."""
    return Company.objects.get(name=name)


def _stock_server(company: Company, actor: Actor) -> McpServer:
    return servers.register_server(
        actor=actor, company=company, name="stock", title="Stock", url="http://localhost:9000/mcp", tools=TOOLS
    )


def _key(
    company: Company, server: McpServer, user: User, name: str, scopes: list[str], days: int,
    allowed_ips: Sequence[str] = (), labels: Sequence[str] = (),
) -> Key:  # fmt: skip
    key, _token = services.create_key(
        company=company, server=server, user=user, name=name, scopes=scopes,
        expires_at=timezone.now() + timedelta(days=days), actor=Actor.user(user), allowed_ips=allowed_ips,
        labels=labels,
    )  # fmt: skip
    return key


def _use(key: Key, client: str, tools: list[str], much: int, days: int = DAYS) -> None:
    """Use of `key` as verdicts would have counted it: more on working days and by day, a few refusals."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    counts, seen = [], 0
    for hours_ago in range(days * 24):
        hour = now - timedelta(hours=hours_ago)
        busy = (1.0 if hour.weekday() < 5 else 0.25) * (0.15 + max(0.0, math.sin((hour.hour - 5) / 15 * math.pi)))
        busy *= 0.6 + (hour.toordinal() * 7 % 11) / 14  # no two days alike, and every run the same
        for place, tool in enumerate(tools):
            count = round(much * busy / (place + 1))
            seen += count
            where = [int(hour.timestamp()), key.server_id, key.company_id, key.pk]
            counts.append([*where, "VALID", tool, client, max(count, 1)])
            if hour.hour in (9, 15) and place == 0 and hour.toordinal() % 3:
                code = "INSUFFICIENT_SCOPE" if hour.hour == 9 else "RATE_LIMITED"
                counts.append([*where, code, tool, client, hour.toordinal() % 5 + 1])
    first, last = (now - timedelta(days=days)).timestamp(), timezone.now().timestamp() - 120
    sightings = [[key.pk, "203.0.113.20", client, key.company_id, tools[0], "VALID", first, last, seen]]
    write_batch(f"example-{key.pk}", {"counts": counts, "sightings": sightings})
