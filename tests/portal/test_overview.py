"""The overview: numbers, trend, refusals with their reasons, a chart with its text; and how many queries that takes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from keys.usage.glance import glance
from keys.usage.services import write_batch
from portal.audit.actors import SYSTEM
from portal.companies.invitations import invite
from tests import factories

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)


def count(key, moment, number, code="VALID", tool="get_companies"):
    row = [int(moment.timestamp()), key.server_id, key.company_id, key.pk, code, tool, "Gemini CLI", number]
    write_batch(f"{moment}{code}{tool}{number}", {"counts": [row], "sightings": []})


def at(day, hour):
    return datetime(2026, 11, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "today", "yesterday"),
    # Yesterday until half past twelve: all of eight o'clock and half of twelve o'clock, nothing of the evening.
    [("UTC", 30, 20 + 5), ("Europe/Amsterdam", 30, 20 + 5), ("Asia/Tokyo", 30, 20 + 5)],
)
def test_today_is_compared_with_yesterday_until_this_time(company, key, zone, today, yesterday):
    count(key, at(25, 11), 30)
    count(key, at(24, 8), 20)
    count(key, at(24, 12), 10)
    count(key, at(24, 14), 400)
    found = glance(company, ZoneInfo(zone), now=NOON)
    assert (found.today, found.yesterday) == (today, yesterday)
    assert found.trend == round(100 * (found.today - found.yesterday) / found.yesterday)


def test_without_a_yesterday_there_is_no_trend(company, key):
    count(key, at(25, 11), 3)
    assert glance(company, ZoneInfo("UTC"), now=NOON).trend is None


def test_refusals_come_with_their_reasons_the_most_frequent_first(company, key):
    count(key, at(25, 9), 2, "IP_DENIED")
    count(key, at(24, 9), 5, "INSUFFICIENT_SCOPE")
    found = glance(company, ZoneInfo("UTC"), now=NOON)
    assert [(row.value, row.total) for row in found.refusals] == [("INSUFFICIENT_SCOPE", 5), ("IP_DENIED", 2)]
    assert found.refusals[1].message == "The key may not be used from this address."


def test_the_page_shows_all_of_it_and_the_chart_has_a_table_for_who_does_not_see_it(owner_client, company, key):
    with time_machine.travel(NOON, tick=False):
        owner_client.get(reverse("company", kwargs={"slug": company.slug}))
        count(key, at(25, 11), 1234)
        count(key, at(24, 8), 617)
        count(key, at(25, 9), 2, "IP_DENIED")
        page = owner_client.get(reverse("company", kwargs={"slug": company.slug})).content.decode()
    assert "1,234" in page and "▲ 100 % on yesterday by now" in page
    assert "The key may not be used from this address." in page
    assert "<caption>Calls let through, last 14 days (calls)</caption>" in page and "<td>1,234</td>" in page


def test_a_company_without_calls_reads_that(owner_client, company, key):
    page = owner_client.get(reverse("company", kwargs={"slug": company.slug})).content.decode()
    assert "Calls of the last 14 days" not in page and "Calls today" in page


def test_another_companys_calls_are_not_counted(company, key, other_company):
    count(key, at(25, 11), 30)
    found = glance(other_company, ZoneInfo("UTC"), now=NOON)
    assert (found.today, found.good) == (0, 0)


def test_the_page_takes_as_many_queries_for_twenty_keys_as_for_one(owner_client, company, server, owner, key):
    address = reverse("company", kwargs={"slug": company.slug})

    def queries():
        with CaptureQueriesContext(connection) as found:
            assert owner_client.get(address).status_code == 200
        return len(found)

    queries()  # the session notes which company it is
    few = queries()
    for number in range(19):
        factories.make_key(company, server, owner, name=f"Key {number}")
    assert queries() == few <= 30


def test_beside_the_members_stands_how_many_are_invited_and_may_still_come(owner_client, owner, company):
    address, now = reverse("company", kwargs={"slug": company.slug}), timezone.now()
    assert " invited<" not in owner_client.get(address).content.decode()
    for name in ("grace", "mary", "ida"):
        invite(company=company, email=f"{name}@example.com", role="viewer", inviter=owner, actor=SYSTEM)
    company.invitations.filter(email="ida@example.com").update(expires_at=now)
    assert ">2 invited<" in owner_client.get(address).content.decode()
