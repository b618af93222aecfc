"""`python3 -m bench.pages`: every page of a filled portal: its queries and how long it takes.

Asks the database that DATABASE_URL names, after `manage.py fill --big 10000 --events … --usage … --connections …`, as
somebody of the staff, as the owner of the company with most keys and as the owner of a usual one. Addresses come from
the URL configuration, what stands in them from the database. The first request finds nothing in the cache.
Pages are asked for in this process; with `--served` of a web process as in production, over HTTP, which is what a
browser waits for.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import django

from bench.askers import Asker, Here, Served
from bench.servers import Server

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
os.environ.setdefault("LATCHKEY_STAFF_SECOND_FACTOR", "0")
os.environ.setdefault("LATCHKEY_USAGE_FLUSH_SECONDS", "0")
STAFF: Final = "bench-staff@example.com"
GOALS: Final = {"staff": ("slowest", 1000.0), "big": ("p95", 150.0), "usual": ("p95", 150.0)}
MOST_QUERIES: Final = 30
# Pages that begin something or end the session, and files, which are read to their end by who asks for them.
LEFT_OUT: Final = re.compile(r"logout|/file\.zip$|\.csv$|download|/end/$")


@dataclass(slots=True)
class Measured:
    """One address: what it asked and how long it took, in milliseconds."""

    path: str
    status: int = 0
    queries: int = 0
    database: float = 0.0
    slow: tuple[float, str] = (0.0, "")
    first: float = 0.0
    times: list[float] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def p50(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.times or [self.first])

    @property
    def p95(self) -> float:
        """What 95 of 100 rounds stayed below."""
        times = sorted(self.times or [self.first])
        return times[max(0, round(len(times) * 0.95) - 1)]

    @property
    def slowest(self) -> float:
        """The worst of all, the first one too."""
        return max(self.first, *self.times)


def main() -> None:
    """Measure, print, and exit with 1 if a page misses its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="Addresses with this in them.")
    parser.add_argument("--who", choices=list(GOALS), help="Only as this person.")
    parser.add_argument("--all", action="store_true", help="Every page, and not the slowest fifteen of each person.")
    parser.add_argument("--served", action="store_true", help="Of a web process, as a browser asks.")
    parser.add_argument("--queries", type=int, default=0, help="Print so many of the slowest queries, too.")
    options = parser.parse_args()
    django.setup()
    from django.conf import settings

    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["testserver"]
    missed = False
    with ExitStack() as at_the_end:
        server = serve(at_the_end) if options.served else None
        for who, (email, paths) in people().items():
            if options.who in {None, who}:
                wanted = [path for path in paths if options.only in path]
                rows = measure(email, wanted, options.rounds, server)
                missed |= report(who, rows, everything=options.all, queries=options.queries)
    sys.exit(1 if missed else 0)


def serve(at_the_end: ExitStack) -> Server:
    """The portal in a web process, until `at_the_end`."""
    folder = Path(at_the_end.enter_context(TemporaryDirectory()))
    server = Server("web", "portal.wsgi:application", {}, folder)
    at_the_end.callback(server.stop)
    server.wait("/healthz/live")
    return server


def people() -> dict[str, tuple[str, list[str]]]:
    """Who asks, by e-mail address, and for what."""
    from django.db.models import Count

    from keys.models import Key
    from portal.companies.models import Company, Membership

    top = Key.objects.order_by().values("company").annotate(number=Count("pk")).order_by("-number")[:1]
    big = Company.objects.get(pk=top[0]["company"])
    usual = Company.objects.exclude(pk=big.pk).filter(keys__last_used_at__isnull=False).order_by("-created_at")[0]
    rank(big)
    found: dict[str, tuple[str, list[str]]] = {"staff": (staff(), staff_paths(big))}
    for name, company in (("big", big), ("usual", usual)):
        owner = Membership.objects.filter(company=company, role="owner").select_related("user")[0].user
        found[name] = (owner.email, company_paths(company))
    return found


def rank(company: Any) -> None:
    """Count its most used keys as the worker does once somebody has looked, and say how long that took."""
    from keys.usage import rankings
    from keys.usage.windows import SPANS, window

    for days in SPANS:
        began = time.perf_counter()
        rankings.ask(window(company, days, company.zone))
        if rankings.rank(company.pk, days):
            print(f"the worker counts the most used keys of {days} days in {time.perf_counter() - began:.1f} s")


def staff() -> str:
    """Somebody of the staff, made on the first run."""
    from portal.accounts.models import User
    from portal.staff.models import StaffMember

    user = User.objects.filter(email=STAFF).first() or User.objects.create_superuser(STAFF, name="Bench")
    StaffMember.objects.update_or_create(user=user, defaults={"role": "administrator"})
    return STAFF


def staff_paths(company: Any) -> list[str]:
    """Every page below /staff/, with searches, sorts, filters and later pages."""
    from keys.models import Key
    from keys.oauth.models import Connection
    from portal.accounts.models import User
    from portal.audit.models import AuditEvent
    from portal.incidents.models import Incident
    from portal.jobs.models import DeadLetter
    from portal.staff.models import RevocationRun

    key = Key.objects.filter(company=company).order_by("-last_used_at")[0]
    event = AuditEvent.objects.filter(chain=company.pk).order_by("-id").first()
    values = {
        "company_id": company.pk, "key_id": key.pk, "server_id": key.server_id, "user_id": key.user_id,
        "connection_id": first(Connection), "incident_id": first(Incident), "run_id": first(RevocationRun),
        "letter_id": first(DeadLetter), "credential_id": first(key.server.credentials),
    }  # fmt: skip
    other = User.objects.order_by("-date_joined", "pk").exclude(email=STAFF)[0]
    words = ["Company", company.name, company.slug, company.pk, "Person 7", "Key 77", "zzz nothing", key.hint, key.pk,
             other.email, other.email[:8], "10.0.1.1", "fill", "Incident 5", "Gemini"]  # fmt: skip
    lists = ("keys", "companies", "people", "connections", "servers", "incidents", "leaks", "reviews")
    more = [f"/staff/{name}/?q={word}" for name in lists for word in words]
    more += [f"/staff/companies/?state={state}&sort={sort}" for state in ("", "active", "pending")
             for sort in ("newest", "oldest", "name")]  # fmt: skip
    more += [f"/staff/keys/?state={state}&sort={sort}" for state in ("", "active", "expired", "revoked", "rotating")
             for sort in ("newest", "oldest", "expiring", "revoked")]  # fmt: skip
    more += [f"/staff/keys/?company={company.pk}", f"/staff/keys/?user={key.user_id}",
             "/staff/keys/?state=active&q=Key 7",
             f"/staff/keys/?server={key.server_id}&state=active", "/staff/keys/?state=revoked&q=Company"]  # fmt: skip
    more += [f"/staff/connections/?state={state}" for state in ("active", "expired", "revoked")]
    more += [f"/staff/audit/?chain={company.pk}", "/staff/audit/?chain=platform", "/staff/audit/?action=key:revoked",
             "/staff/audit/?subject=key", f"/staff/audit/?q={event.target_id if event else ''}",
             "/staff/audit/?since=2026-01-01&until=2026-02-01", "/staff/audit/?key=nothing"]  # fmt: skip
    more += [f"/staff/revoke/?{rule}" for rule in (f"company={company.slug}", f"server={key.server_id}", "no_expiry=on",
             "address=10.0.0.0/8", "unused_since=2026-01-01T00:00", "scope=tools:*")]  # fmt: skip
    finds = [f"POST /staff/find/ {word}" for word in [*words, event.request_id if event else "request-1", "none-0000"]]
    return [*routes("staff/", values), *more, *finds]


def company_paths(company: Any) -> list[str]:
    """Every page of a company, and of its owner's account."""
    from keys.models import Key
    from portal.companies.models import Membership

    key = Key.objects.filter(company=company).order_by("-last_used_at")[0]
    endpoint = company.webhooks.first()
    delivery = endpoint.deliveries.first() if endpoint else None
    values = {
        "slug": company.slug, "key_id": key.pk, "server_id": key.server_id, "user_id": key.user_id,
        "connection_id": first(company.connections), "review_id": first(company.reviews),
        "endpoint_id": endpoint.pk if endpoint else "", "delivery_id": delivery.pk if delivery else "",
    }  # fmt: skip
    assert Membership.objects.filter(company=company, user=key.user_id).exists()
    base = f"/c/{company.slug}"
    more = [f"{base}/keys/?q={word}" for word in ("Key 7", "Person", "zzz", key.pk, key.hint, "fill")]
    more += [
        f"{base}/keys/?sort={sort}" for sort in ("name", "-name", "created", "-used", "used", "expires", "-expires")
    ]
    more += [f"{base}/keys/?state={state}" for state in ("active", "revoked", "expired", "rotating")]
    more += [f"{base}/keys/?page={page}" for page in (2, 20, 400)]
    more += [f"{base}/keys/?needs={slug}" for slug in ("unused", "never-used", "expiring", "no-expiry", "refused")]
    more += [f"{base}/audit/?action=key:revoked", f"{base}/audit/?q=Key", f"{base}/connections/?q=Gem"]
    more += [f"{base}/usage/?{query}" for query in ("days=1", "days=7", "days=30", "days=90", f"key={key.pk}")]
    return [*routes("c/<slug:slug>/", values), *routes("account/", values), *more]


def first(source: Any) -> str:
    """The id of a row of a model or of a relation; '' if there is none."""
    row = getattr(source, "objects", source).order_by("-pk").first()
    return str(row.pk) if row else ""


def routes(start: str, values: dict[str, str]) -> list[str]:
    """The routes below `start` with `values` filled in; those that need another value are left out."""
    from django.urls import get_resolver

    found = set()
    for route in _addresses(get_resolver().url_patterns):
        path = "/" + re.sub(r"<\w+:(\w+)>", lambda part: values.get(part[1]) or part[0], route)
        if route.startswith(start) and "<" not in path and not LEFT_OUT.search(path):
            found.add(path)
    return sorted(found)


def _addresses(patterns: Any, prefix: str = "") -> Iterator[str]:
    from django.urls import URLResolver

    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _addresses(pattern.url_patterns, route)
        else:
            yield route


def measure(email: str, paths: list[str], rounds: int, server: Server | None = None) -> list[Measured]:
    """Ask for each of `paths` as `email`: once with an empty cache, once to count queries, then `rounds` times.

    Of `server`, if there is one, whose cache stays as it is; queries are counted in this process.
    """
    from django.core.cache import cache
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from portal.accounts.models import User

    client = Client(headers={"user-agent": "bench.pages"})
    client.force_login(User.objects.get(email=email))
    here = Here(client)
    asker: Asker = Served(client, server) if server else here
    assert here.ask("/account/")[0] == 200, "not signed in"  # a session's first request writes where it is from
    found = []
    for path in paths:
        one = Measured(path)
        cache.clear()
        here.ask("/account/")
        one.status, one.first = asker.ask(path)
        if one.status == 200 or path.startswith("POST "):
            with CaptureQueriesContext(connection) as context:
                here.ask(path)
            one.queries = len(context)
            spent = [(float(query["time"]) * 1000, query["sql"]) for query in context.captured_queries]
            one.database, one.slow = sum(time for time, _sql in spent), max(spent, default=(0.0, ""))
            cpu = asker.cpu()
            one.times = [asker.ask(path)[1] for _ in range(rounds)]
            one.cpu = (asker.cpu() - cpu) / rounds
            found.append(one)
    return found


def report(who: str, rows: list[Measured], *, everything: bool, queries: int) -> bool:
    """Print a table, the slowest first, and the `queries` slowest queries; whether a page missed its goal."""
    figure, most = GOALS[who]
    rows = sorted(rows, key=lambda row: -getattr(row, figure))
    over = [row for row in rows if getattr(row, figure) >= most or row.queries > MOST_QUERIES]
    print(
        f"\n{who}: {len(rows)} pages, {len(over)} with {figure} ≥ {most:.0f} ms or more than {MOST_QUERIES} queries\n"
    )
    print("| page | queries | in them ms | own CPU | first | p50 | p95 | slowest |\n| --- |" + " ---: |" * 7)
    for row in rows if everything else rows[: max(15, len(over))]:
        times = " | ".join(f"{time:.0f}" for time in (row.database, row.cpu, row.first, row.p50, row.p95, row.slowest))
        print(f"| {row.path} | {row.queries} | {times} |")
    for row in sorted(rows, key=lambda row: -row.slow[0])[:queries]:
        print(f"\n{row.path}: {row.slow[0]:.0f} ms\n{row.slow[1]}")
    return bool(over)


if __name__ == "__main__":
    main()
