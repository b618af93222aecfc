"""At size every list, page and API read finds its rows by an index: no plan reads the whole table of keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver

from keys.leaks.models import Leak
from keys.management_tokens.services import create_token
from keys.models import Key, ManagementScope, McpServer
from keys.oauth.models import Connection
from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from portal.companies.models import Company

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
TABLES = (
    "keys_key", "companies_company", "companies_membership", "accounts_user", "usage_usageday", "usage_usagehour",
    "usage_companyhour", "usage_companyday", "usage_outcomehour", "usage_refusalday",
    "keys_mcpserver", "oauth_connection", "leaks_leak", "audit_auditevent",
)  # fmt: skip


@pytest.fixture
def filled(company, key):
    """Enough rows that a database with sense uses an index."""
    call_command("fill", companies=1000, keys=10_000, verbosity=0)
    return company


def whole_tables(context: CaptureQueriesContext) -> list[str]:
    """The queries that read a large table from end to end."""
    found = []
    for query in context.captured_queries:
        sql = query["sql"]
        if not sql.startswith("SELECT") or not any(f'"{table}"' in sql for table in TABLES):
            continue
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":  # a table that fits a few pages is read whole, index or not
                cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(("EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN ") + sql)
            plan = "\n".join(str(row[-1] if len(row) > 1 else row[0]) for row in cursor.fetchall())
        for table in TABLES:
            alone = rf"Seq Scan on {table}\b" if connection.vendor == "postgresql" else rf"SCAN {table}(?! USING)"
            if re.search(alone, plan) and size_of(table) > 500:
                found.append(f"{sql}\n{plan}")
    return found


def queries(context: CaptureQueriesContext) -> int:
    """How many, not counting the savepoints that stand for transactions within a test's own."""
    return sum("SAVEPOINT" not in query["sql"] for query in context.captured_queries)


def size_of(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return cursor.fetchone()[0]


COMPANY_PAGES = ["", "keys/", "keys/?state=revoked", "team/", "audit/"]
STAFF_PAGES = ["/staff/companies/", "/staff/keys/", "/staff/servers/"]


@pytest.mark.parametrize("page", COMPANY_PAGES)
def test_pages_of_a_company(filled, owner_client, page):
    owner_client.get("/account/")  # a session's first request writes where it is from
    with CaptureQueriesContext(connection) as context:
        response = owner_client.get(f"/c/{filled.slug}/{page}")
    assert response.status_code == 200
    assert queries(context) < 20
    assert not whole_tables(context)


@pytest.mark.parametrize("page", STAFF_PAGES)
def test_pages_of_staff(filled, staff_client, page):
    staff_client.get("/account/")
    with CaptureQueriesContext(connection) as context:
        response = staff_client.get(page)
    assert response.status_code == 200
    assert queries(context) < 20
    assert not whole_tables(context)


def addresses(patterns, prefix: str = "") -> Iterator[str]:
    """Every route of the portal."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, route)
        else:
            yield route


def pages(start: str, **values: str) -> list[str]:
    """The routes below `start`, filled in; those that need what is not given left out."""
    found = []
    for route in addresses(get_resolver().url_patterns):
        filled_in = re.sub(r"<\w+:(\w+)>", lambda part: values.get(part[1], part[0]), route)
        if route.startswith(start) and "<" not in filled_in:
            found.append(f"/{filled_in}")
    return sorted(set(found))


def costly(client, paths, **headers: str) -> tuple[list[str], int]:
    """What asked too much of the database, and how many of `paths` answered 200."""
    found, answered = [], 0
    for path in paths:
        with CaptureQueriesContext(connection) as context:
            response = client.get(path, **headers)
            b"".join(response.streaming_content) if response.streaming else response.content
        answered += response.status_code == 200
        if queries(context) >= 20:
            found.append(f"{path}: {queries(context)} queries")
        found += [f"{path}: {whole}" for whole in whole_tables(context)]
    return found, answered


def test_every_page_of_a_company(filled, owner_client, key):
    owner_client.get("/account/")
    paths = pages("c/<slug:slug>/", slug=filled.slug, key_id=key.pk, server_id=key.server_id)
    found, answered = costly(owner_client, paths)
    assert not found, "\n".join(found)
    assert answered >= 15


def test_what_pages_of_a_company_with_many_busy_keys_read_of_usage(client):
    """Counts by company, and of those by key an index up to a bound."""
    call_command("fill", companies=50, keys=2500, big=2000, usage=60_000, verbosity=0)
    company = Company.objects.annotate(number=Count("keys")).latest("number")
    client.force_login(company.memberships.get().user)
    client.get("/account/")
    for zone in ("UTC", "Asia/Kolkata"):
        Company.objects.filter(pk=company.pk).update(time_zone=zone)
        for page in ("", *(f"usage/?days={days}" for days in (1, 7, 30, 90)), "keys/?needs=refused"):
            with CaptureQueriesContext(connection) as context:
                assert client.get(f"/c/{company.slug}/{page}").status_code == 200
            assert not whole_tables(context), page
            by_key = [
                query["sql"] for query in context.captured_queries
                if re.search("usage_usage(day|hour)", query["sql"]) and '"key_id" IN' not in query["sql"]
            ]  # fmt: skip
            assert all("LIMIT 1 OFFSET 10000" in sql for sql in by_key), by_key


def test_every_page_of_staff(filled, staff_client, key, company):
    staff_client.get("/account/")
    paths = pages("staff/", company_id=company.pk, key_id=key.pk, server_id=key.server_id)
    words = ("Company", company.slug, "person1", "person1@", "Key 1", "nothing at all", company.pk)
    searches = [f"/staff/{page}/?q={word}" for page in ("keys", "companies", "people") for word in words]
    searches += [f"/staff/companies/?sort={sort}" for sort in ("newest", "oldest", "name")]
    searches += [f"/staff/keys/?state={state}&sort={sort}" for state in ("active", "expired", "revoked")
                 for sort in ("newest", "expiring", "revoked")]  # fmt: skip
    searches += ["/staff/companies/?state=active&sort=newest", "/staff/revoke/?server=fill",
                 f"/staff/revoke/?company={company.slug}"]  # fmt: skip
    found, answered = costly(staff_client, [*paths, *searches])
    assert not found, "\n".join(found)
    assert answered >= 12


def test_what_staff_look_for(filled, staff_client, key, server):
    """Connections, servers and leaks, of which `fill` makes none; words that begin few names, and that begin all."""
    staff_client.get("/account/")
    ids = list(Company.objects.values_list("pk", flat=True)[:900])
    McpServer.objects.bulk_create(
        McpServer(company_id=pk, name=f"own-{n}", title=f"Own {n}", url=f"https://mcp{n}.example.com")
        for n, pk in enumerate(ids)
    )
    people = list(User.objects.values_list("pk", flat=True)[:900])
    Connection.objects.bulk_create(
        Connection(company_id=pk, server=server, user_id=people[n % len(people)], client_name=f"Agent {n}",
                   client_host=f"agent{n}.example.com")
        for n, pk in enumerate(ids)
    )  # fmt: skip
    Leak.objects.bulk_create(
        Leak(company_id=pk, kind="key", subject_id=f"subject{n:05}", subject_name=f"Laptop {n}", hint="lk_live_…",
             source="github", url=f"https://github.com/x/{n}", outcome="revoked", incident_id=f"incident{n:04}")
        for n, pk in enumerate(ids)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    shown = {
        "connections": {"agent 77": "Agent 77", "Agent88.example": "Agent 88", "nothing": "", key.company.name: ""},
        "servers": {"OWN-77": "Own 77", "own 88": "Own 88", "mcp99.example.com": "Own 99", "https://mcp66.": "Own 66"},
        "leaks": {"laptop 77": "Laptop 77", "https://github.com/x/88": "Laptop 88", "subject00099": "Laptop 99",
                  "incident0066": "Laptop 66"},
    }  # fmt: skip
    for page, words in (("connections", "agent"), ("connections", "Company"), ("servers", "own"), ("leaks", "laptop"),
                        ("leaks", "Company")):  # fmt: skip
        shown[page][words] = {"connections": "Agent", "servers": "Own", "leaks": "Laptop"}[page]
    searches = [f"/staff/{page}/?{urlencode({'q': words})}" for page, wanted in shown.items() for words in wanted]
    found, answered = costly(staff_client, searches)
    assert not found, "\n".join(found)
    assert answered == len(searches)
    for page, wanted in shown.items():
        for words, expected in wanted.items():
            assert expected in staff_client.get(f"/staff/{page}/", {"q": words}).content.decode(), (page, words)


def test_every_read_of_the_management_api(filled, client, owner, key):
    _made, token = create_token(
        company=filled, user=owner, name="Reads", scopes=[scope.value for scope in ManagementScope],
        expires_at=None, actor=Actor.user(owner),
    )  # fmt: skip
    paths = pages("api/v1/", key_id=key.pk, server_id=key.server_id)
    paths += [
        f"/api/v1/keys?{query}" for query in ("state=active", "name=laptop", "server=growerp-system", "limit=200")
    ]
    found, answered = costly(client, paths, headers={"Authorization": f"Bearer {token.text}"})
    assert not found, "\n".join(found)
    assert answered >= 8


def test_a_key_found_by_pasting_it(filled, staff_client, key_token):
    with CaptureQueriesContext(connection) as context:
        response = staff_client.get("/staff/keys/", {"q": key_token[:20]})
    assert response.status_code in {200, 302}
    assert not whole_tables(context)


@pytest.mark.parametrize("path", ["whoami", "companies", "users", "keys"])
def test_what_a_key_reads(filled, client, key_token, path):
    with CaptureQueriesContext(connection) as context:
        response = client.get(f"/api/v1/data/{path}", headers={"Authorization": f"Bearer {key_token}"})
    assert response.status_code == 200, response.content
    assert queries(context) < 20
    assert not whole_tables(context)


def test_what_a_suspension_does(filled):
    from keys import feed

    with CaptureQueriesContext(connection) as context:
        feed.publish_company(Company.objects.filter(name__startswith="Company").first().pk)
    assert not whole_tables(context)


def test_the_test_sees_a_whole_table(filled):
    """Otherwise it could not fail."""
    with CaptureQueriesContext(connection) as context:
        list(Key.objects.filter(hint__contains="nothing").order_by())
    assert len(whole_tables(context)) == 1


def test_a_request_is_found_in_the_whole_record(filled, staff_client):
    call_command("fill", companies=10, keys=100, events=2000, verbosity=0)
    event = AuditEvent.objects.exclude(request_id="").earliest("pk")
    staff_client.get("/account/")
    with CaptureQueriesContext(connection) as context:
        response = staff_client.post("/staff/find/", {"key": event.request_id})
    assert "What was done in this request" in response.content.decode()
    assert not whole_tables(context)
    assert queries(context) < 25


@pytest.mark.parametrize("words", ["Company", "Key", "Person"])
def test_words_that_match_half_of_everything(filled, staff_client, words):
    staff_client.get("/account/")
    with CaptureQueriesContext(connection) as context:
        response = staff_client.get("/staff/keys/", {"q": words})
    assert response.status_code == 200
    assert len(response.context["page"].rows) == 50
    assert not whole_tables(context)
