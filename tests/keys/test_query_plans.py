"""At size every list, page and API read finds its rows by an index: no plan reads the whole table of keys."""

from __future__ import annotations

import re

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from keys.models import Key
from portal.companies.models import Company

pytestmark = pytest.mark.django_db
TABLES = ("keys_key", "companies_company", "companies_membership", "accounts_user", "usage_usageday", "usage_usagehour")


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
