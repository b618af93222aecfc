"""Counts by company are always the sum of those by key, whatever batches come, how often and by which release."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys.usage import recounting, services
from keys.usage.models import (
    CompanyDay,
    CompanyHour,
    KeyRanking,
    OutcomeHour,
    RefusalDay,
    UsageBatch,
    UsageDay,
    UsageHour,
)
from keys.usage.tasks import purge_usage, recount_usage
from tests.races import at_once

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 15, 40, tzinfo=UTC)
COLUMNS = ("period", "server_id", "company_id", "code", "tool", "client")
KEYS = ("period", "company_id", "key_id")
DERIVED = (CompanyHour, CompanyDay, OutcomeHour, RefusalDay)

hours = st.integers(0, 60).map(lambda back: int(NOW.timestamp()) // 3600 * 3600 - back * 3600)
counts = st.tuples(
    hours, st.sampled_from(["serverA", "serverB"]), st.sampled_from(["companyA", "companyB"]),
    st.sampled_from(["key1", "key2", "key3"]), st.sampled_from(["VALID", "EXPIRED", "RATE_LIMITED"]),
    st.sampled_from(["", "get_users", "get_orders"]), st.sampled_from(["", "Cursor"]), st.integers(1, 9),
)  # fmt: skip
unknown = st.tuples(hours, st.just("serverA"), *[st.just("")] * 2, st.just("UNKNOWN"), *[st.just("")] * 2, st.just(3))
batches = st.lists(st.lists(counts | unknown, max_size=8), min_size=1, max_size=4)


def write(name: str, rows) -> bool:
    return services.write_batch(name, {"counts": [list(row) for row in rows], "sightings": []})


def sums(of, *columns: str) -> dict:
    rows = getattr(of, "objects", of).order_by().values_list(*columns).annotate(Sum("count"))
    return {row[:-1]: row[-1] for row in rows}


def assert_they_agree() -> None:
    assert sums(CompanyHour, *COLUMNS) == sums(UsageHour, *COLUMNS)
    assert sums(CompanyDay, *COLUMNS) == sums(UsageDay, *COLUMNS)
    assert sums(OutcomeHour, "period", "company_id", "code") == sums(UsageHour, "period", "company_id", "code")
    refused = UsageDay.objects.exclude(code="VALID").exclude(key_id="")
    assert sums(RefusalDay, *KEYS) == sums(refused, *KEYS)


def as_the_old_code_writes(name: str, rows) -> None:
    """Counts by key alone, and nothing said about it."""
    kept = {table: list(table.objects.values()) for table in DERIVED}
    write(name, rows)
    for table, before in kept.items():
        table.objects.all().delete()
        table.objects.bulk_create(table(**row) for row in before)
    UsageBatch.objects.filter(pk=name).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_usagebatch (id, at) VALUES (%s, %s)", [name, services.stored(datetime.now(UTC))]
        )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches)
def test_they_are_the_sum_of_the_keys_counts_however_often_a_batch_comes(db, written):
    with transaction.atomic():
        for number, rows in enumerate(written):
            assert write(f"batch {number}", rows)
            assert not write(f"batch {number}", rows), "written twice"
            assert_they_agree()
        total = sum(row[-1] for rows in written for row in rows)
        assert (OutcomeHour.objects.aggregate(all=Sum("count"))["all"] or 0) == total
        transaction.set_rollback(True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches, batches)
def test_a_recount_puts_right_what_older_code_left_out(db, by_new, by_old):
    now = datetime.now(UTC)
    shift = (int(now.timestamp()) - int(NOW.timestamp())) // 3600 * 3600
    with transaction.atomic():
        for number, rows in enumerate(by_new):
            write(f"new {number}", [(row[0] + shift, *row[1:]) for row in rows])
        for number, rows in enumerate(by_old):
            as_the_old_code_writes(f"old {number}", [(row[0] + shift, *row[1:]) for row in rows])
        assert recount_usage() == len(by_old)
        assert_they_agree()
        assert recount_usage() == 0, "nothing is left to put right"
        for number, rows in enumerate(by_old):
            assert not write(f"old {number}", rows), "and what the old code wrote is not counted again"
        assert_they_agree()
        transaction.set_rollback(True)


ROWS = [
    (int((NOW - timedelta(days=back)).timestamp()) // 3600 * 3600, "server", "company", f"key{back % 3}",
     "VALID" if back % 2 else "EXPIRED", "get_users", "Cursor", back + 1)
    for back in (0, 0, 1, 9, 40, 89)
]  # fmt: skip
fill = import_module("keys.usage.migrations.0003_fill_counts_by_company").fill


def migrate() -> None:
    with connection.schema_editor(atomic=False) as editor:
        fill(apps, editor)


@pytest.mark.django_db(transaction=True)
def test_the_migration_makes_them_from_what_there_is_and_makes_the_same_again():
    as_the_old_code_writes("old", ROWS)
    assert not CompanyDay.objects.exists()
    migrate()
    assert_they_agree()
    assert CompanyDay.objects.count() == 5
    assert not UsageBatch.objects.filter(by_company=False).exists(), "these are counted"
    CompanyHour.objects.all()[:1].get().delete()  # broken off somewhere
    migrate()
    assert_they_agree()


@pytest.mark.django_db(transaction=True)
def test_what_the_old_release_writes_after_the_migration_is_put_right():
    now = datetime.now(UTC)
    hour = int(now.timestamp()) // 3600 * 3600
    migrate()
    late = (hour - 24 * 3600, *ROWS[0][1:])
    as_the_old_code_writes("from an old worker", [(hour, *ROWS[0][1:]), late])
    write("from a new worker", [(hour, *ROWS[0][1:])])
    assert CompanyHour.objects.get().count == 1
    assert recount_usage() == 1
    assert_they_agree()


@pytest.mark.django_db(transaction=True)
def test_batches_and_recounts_at_once_lose_nothing_and_count_nothing_twice():
    """On PostgreSQL they run beside each other: two that write the same rows in another order, and two that recount."""
    now = datetime.now(UTC)
    hour = int(now.timestamp()) // 3600 * 3600
    rows = [(hour, f"server{number % 2}", "company", f"key{number}", "VALID", "tool", "", 1) for number in range(40)]

    def write_all(name, given):
        for number in range(5):
            write(f"{name} {number}", given)

    def recount():
        for _ in range(5):
            recounting.recount_day(now)

    results = at_once(
        lambda: write_all("one", rows), lambda: write_all("other", rows[::-1]), recount,
        lambda: write_all("third", rows[::3]), recount,
    )  # fmt: skip
    assert results == [None] * 5, results
    assert_they_agree()
    assert OutcomeHour.objects.get().count == 5 * (40 + 40 + 14)


@pytest.mark.django_db(transaction=True)
def test_the_migration_does_nothing_where_nothing_was_used():
    migrate()
    assert not CompanyDay.objects.exists()


def test_days_further_back_are_counted_again_by_hand():
    hour = int(datetime.now(UTC).timestamp()) // 3600 * 3600
    long_ago = [(hour - 20 * 86400, *ROWS[0][1:])]
    as_the_old_code_writes("old", long_ago)
    recounting.recount_missed()
    assert not CompanyDay.objects.exists(), "further back than it looks"
    call_command("recount_usage", days=21, verbosity=0)
    assert_they_agree()
    assert CompanyDay.objects.exists()


def test_what_is_too_old_is_forgotten_of_companies_too(settings):
    now = datetime.now(UTC)
    for back in (1, settings.USAGE_HOURS_KEPT_DAYS + 2, settings.USAGE_DAYS_KEPT_DAYS + 2):
        hour = int((now - timedelta(days=back)).timestamp()) // 3600 * 3600
        write(f"batch {back}", [(hour, *ROWS[0][1:])])
    KeyRanking.objects.create(company_id="company", days=30, asked_at=now - timedelta(days=3))
    purge_usage()
    assert (CompanyHour.objects.count(), OutcomeHour.objects.count(), CompanyDay.objects.count()) == (1, 1, 2)
    assert not KeyRanking.objects.exists()
    assert_they_agree()
