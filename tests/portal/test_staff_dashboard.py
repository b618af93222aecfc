"""The dashboard: what the worker counts, how servers keep up, and that a million keys do not slow it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from keys import feed, polls
from keys.models import Key
from keys.services import rotate_key
from keys.usage.models import OutcomeHour, RefusalDay, Sighting, UsageDay, UsageHour
from keys.usage.services import write_batch
from keys.webhooks.endpoints import create_endpoint
from keys.webhooks.models import Endpoint
from portal.audit.actors import SYSTEM, Actor
from portal.staff import dashboards, figures
from portal.staff.tasks import count
from tests import factories
from tests.keys.test_query_plans import queries, whole_tables

pytestmark = pytest.mark.django_db

NOW = timezone.now()
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
HOUR = NOW.replace(minute=0, second=0, microsecond=0)


def use(table, period, key, code, number):
    table.objects.create(period=period, server_id=key.server_id, company_id=key.company_id, key_id=key.pk, code=code,
                         count=number)  # fmt: skip


def called(period, key, code, number):
    OutcomeHour.objects.create(period=period, company_id=key.company_id, code=code, count=number)


@pytest.fixture(autouse=True)
def _forget_polls():
    polls._noted.clear()


def test_calls_are_counted_by_the_hour_and_by_reason(staff_client, key):
    called(HOUR, key, "VALID", 5)
    called(HOUR, key, "REVOKED", 2)
    called(HOUR - timedelta(hours=5), key, "EXPIRED", 1)
    called(HOUR - timedelta(hours=30), key, "VALID", 100)
    count()
    found = dashboards.verdicts()
    assert (found.total_good, found.total_refused) == (5, 3)
    assert [(code, number) for code, _message, number in found.reasons] == [("REVOKED", 2), ("EXPIRED", 1)]
    shown = staff_client.get("/staff/").content.decode()
    assert "REVOKED" in shown and "Why calls were refused" in shown


def test_only_hours_that_can_change_are_counted_again(key):
    called(HOUR - timedelta(hours=5), key, "VALID", 1)
    called(HOUR, key, "VALID", 1)
    count()
    OutcomeHour.objects.update(count=10)
    count()
    assert dashboards.verdicts().total_good == 11
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        count()
    assert dashboards.verdicts().total_good == 20, "what was reported late is counted in the end"


def test_the_keys_refused_most_are_named(staff_client, key, company, server, owner):
    other = factories.make_key(company, server, owner, name="Noisy")[0]
    for refused, number in ((key, 3), (other, 9)):
        RefusalDay.objects.create(period=TODAY, company_id=company.pk, key_id=refused.pk, count=number)
    count()
    assert [(row.name, number) for row, number in dashboards.most_refused()] == [("Noisy", 9), (key.name, 3)]


def test_risks_are_found(company, server, owner, staff_client):
    def made(name, **fields):
        return factories.make_key(company, server, owner, name=name, **fields)[0]

    forever, idle, roaming, rising, old = (made("forever", expires_at=None), made("idle"), made("roaming"),
                                           made("rising"), made("old"))  # fmt: skip
    Key.objects.filter(pk=idle.pk).update(created_at=NOW - timedelta(days=100))
    for number in range(21):
        Sighting.objects.create(key_id=roaming.pk, company_id=company.pk, address=f"203.0.113.{number}", code="VALID",
                                first_at=NOW, last_at=NOW, count=1)  # fmt: skip
    use(UsageDay, TODAY, rising, "VALID", 5000)
    use(UsageDay, TODAY - timedelta(days=1), rising, "VALID", 70)
    rotate_key(key=old, overlap=timedelta(hours=1), actor=SYSTEM)
    Key.objects.filter(pk=old.pk).update(last_used_at=timezone.now() + timedelta(seconds=1))
    count()
    found, _counted = dashboards.risks()
    assert {risk.name: [key.name for key in risk.keys] for risk in found} == {
        "no_expiry": ["forever"], "unused": ["idle"], "addresses": ["roaming"], "rise": ["rising"],
        "old_value": ["old"],
    }  # fmt: skip
    assert forever.name in staff_client.get("/staff/").content.decode()
    rule = next(risk.rule for risk in found if risk.name == "unused")
    assert staff_client.get(f"/staff/revoke/?{rule}").context["keys"].number.count == 1


def test_what_a_batch_writes_is_counted(key):
    hour = int(timezone.now().timestamp()) // 3600 * 3600
    row = [hour, key.server_id, key.company_id, key.pk]
    seen = [[key.pk, "", "", key.company_id, "whoami", "VALID", hour, hour, 5]]
    counts = [[*row, "VALID", "whoami", "", 5], [*row, "RATE_LIMITED", "whoami", "", 2]]
    assert write_batch("a batch", {"counts": counts, "sightings": seen})
    count()
    found = dashboards.verdicts()
    assert found is not None and (found.good[-1][1], found.refused[-1][1]) == (5, 2)
    assert UsageHour.objects.filter(period=datetime.fromtimestamp(hour, UTC)).count() == 2
    key.refresh_from_db()
    assert Key.objects.filter(pk=key.pk, last_used_at=datetime.fromtimestamp(hour, UTC)).exists()


def test_slow_counts_wait_their_time(key):
    assert set(count()) == {"verdicts", "refused", "risks"}
    assert set(count()) == {"verdicts"}
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert set(count()) == {"verdicts", "refused", "risks"}


def test_the_dashboard_says_that_nothing_is_counted_yet(staff_client):
    assert figures.figure("verdicts") is None
    assert "Nothing is counted yet" in staff_client.get("/staff/").content.decode()


def test_a_server_whose_verifiers_poll_keeps_up(client, server, server_token, key, django_assert_num_queries):
    def poll():
        return client.get("/api/v1/revocations", headers={"Authorization": f"Bearer {server_token}"})

    assert poll().status_code == 200
    found = dashboards.feeds()[0]
    assert (found.server, found.is_late, found.behind) == (server, False, 0) and found.age < 2
    with time_machine.travel(timezone.now() + timedelta(seconds=30)):
        for _number in range(2):
            from django.db import transaction

            with transaction.atomic():
                feed.publish([feed.Forget(server.pk, key_id=key.pk)])
        found = dashboards.feeds()[0]
        assert (found.is_late, found.behind) == (True, 2)
        poll()
        assert not dashboards.feeds()[0].is_late


def test_a_poll_is_noted_only_every_few_seconds(server):
    polls.note(server.pk, "1", now=1000.0)
    polls.note(server.pk, "2", now=1001.0)
    assert polls.polls([server.pk])[server.pk].cursor == 1
    polls.note(server.pk, "3", now=1006.0)
    assert polls.polls([server.pk])[server.pk].cursor == 3


def test_webhooks_that_fail_are_shown(staff_client, company, owner):
    endpoint, _secret = create_endpoint(url="https://hooks.example.com/x", actor=Actor.user(owner), company=company)
    Endpoint.objects.filter(pk=endpoint.pk).update(failing_since=NOW)
    cache.clear()
    shown = staff_client.get("/staff/").content.decode()
    assert dashboards.webhooks().failing == 1 and "hooks.example.com" in shown


def test_sign_ups_are_counted_by_day(company, other_company):
    assert dashboards.sign_ups()[-1][1] == 2 and len(dashboards.sign_ups()) == 30


@pytest.mark.slow
@pytest.mark.parametrize("page", ["/staff/", "/staff/people/", "/staff/incidents/", "/staff/revocations/",
                                  "/staff/connections/", "/staff/jobs/"])  # fmt: skip
def test_pages_are_quick_at_size(company, key, staff_client, page):
    call_command("fill", companies=1000, keys=10_000, verbosity=0)
    count()
    staff_client.get("/account/")
    staff_client.get(page)  # figures of everything are kept a minute: whoever comes next adds up nothing
    with CaptureQueriesContext(connection) as context:
        response = staff_client.get(page)
    assert response.status_code == 200
    assert queries(context) < 25, [query["sql"][:90] for query in context.captured_queries]
    assert not whole_tables(context)
