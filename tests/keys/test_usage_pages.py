"""What members see of the use of their keys, and that they see nobody else's."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.urls import reverse

from keys.usage import rankings, selectors, services
from keys.usage.models import CompanyDay, KeyRanking, UsageDay
from keys.usage.windows import window
from keys.verdicts import MEANINGS, Code
from tests.factories import make_key, make_server

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 15, 40, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _frozen():
    with time_machine.travel(NOW, tick=False):
        yield


def use(key, count=1, *, code="VALID", tool="", client="", at=NOW, address="203.0.113.7"):
    """As the counter of a web process hands it over."""
    moment = at.timestamp()
    batch = {
        "counts": [[int(moment) // 3600 * 3600, key.server_id, key.company_id, key.pk, code, tool, client, count]],
        "sightings": [[key.pk, address, client, key.company_id, tool, code, moment, moment, count]],
    }
    use.number += 1
    assert services.write_batch(f"batch {use.number}", batch)


use.number = 0


def page(client, company, **query):
    return client.get(reverse("usage", args=[company.slug]), query)


def test_a_company_that_used_nothing_is_told_how_to_begin(owner_client, company, server):
    response = page(owner_client, company)
    assert response.status_code == 200
    assert "Nothing was used yet" in response.content.decode()
    assert reverse("keys:new", args=[company.slug]) in response.content.decode()


def test_a_viewer_sees_usage_and_a_stranger_finds_no_page(colleague_client, stranger_client, company, key):
    assert page(colleague_client, company).status_code == 200
    assert page(stranger_client, company).status_code == 404


def test_it_adds_up_what_was_let_through_and_what_was_refused(owner_client, company, key):
    use(key, 7, tool="get_companies", client="gemini-cli")
    use(key, 2, tool="get_users", code="INSUFFICIENT_SCOPE", client="gemini-cli")
    use(key, 1, code="RATE_LIMITED", at=NOW - timedelta(days=3))
    shown = page(owner_client, company).context["usage"]
    assert (shown.total, shown.good, shown.refused) == (10, 7, 3)
    assert [(row.value, row.total) for row in shown.outcomes] == [
        ("VALID", 7), ("INSUFFICIENT_SCOPE", 2), ("RATE_LIMITED", 1)
    ]  # fmt: skip
    assert [(row.value, row.total, row.refused) for row in shown.tools] == [
        ("get_companies", 7, 0), ("get_users", 2, 2), ("", 1, 1)
    ]  # fmt: skip
    assert [(row.value, row.total) for row in shown.clients] == [("gemini-cli", 9), ("", 1)]
    assert [(row.key, row.total) for row in shown.ranking.rows] == [(key, 10)]


def test_each_refusal_is_shown_with_its_sentence(owner_client, company, key):
    use(key, code="IP_DENIED")
    assert MEANINGS[Code.IP_DENIED].message in page(owner_client, company).content.decode()


def test_the_chart_has_a_place_for_every_day_and_the_page_for_every_hour_of_the_last_day(owner_client, company, key):
    use(key, 5, at=NOW - timedelta(days=6))
    use(key, 3)
    days = page(owner_client, company, days="7").context["usage"].good_pairs
    assert days == [
        ("14 May", 5),
        ("15 May", 0),
        ("16 May", 0),
        ("17 May", 0),
        ("18 May", 0),
        ("19 May", 0),
        ("20 May", 3),
    ]
    hours = page(owner_client, company, days="1").context["usage"].good_pairs
    assert (len(hours), hours[0], hours[-1]) == (24, ("16:00", 0), ("15:00", 3))


def test_what_lies_before_the_period_does_not_count(owner_client, company, key):
    use(key, 5, at=NOW - timedelta(days=8))
    response = page(owner_client, company, days="7")
    assert response.context["usage"].total == 0
    assert page(owner_client, company, days="30").context["usage"].total == 5
    assert "Nothing in this period" in response.content.decode()


def test_days_are_those_of_the_company(owner_client, company, key):
    company.time_zone = "Australia/Sydney"  # ten hours ahead: there it is half past one on the 21st
    company.save()
    use(key, 2, at=datetime(2026, 5, 20, 13, 30, tzinfo=UTC))  # 23:30 of the 20th
    use(key, 3, at=datetime(2026, 5, 20, 14, 30, tzinfo=UTC))  # 00:30 of the 21st
    response = page(owner_client, company, days="7")
    assert response.context["usage"].good_pairs[-2:] == [("20 May", 2), ("21 May", 3)]
    assert "Australia/Sydney" in response.content.decode()
    assert page(owner_client, company, days="1").context["usage"].good_pairs[-1] == ("01:00", 0)


@pytest.mark.parametrize(
    ("zone", "hours", "expected"),
    [
        # 29 March begins at 23:00 UTC and ends at 22:00: it has 23 hours.
        ("Europe/Amsterdam", ["28 22", "28 23", "29 21", "29 22"], [1, 2, 1]),
        # Days begin at half past an hour, which counts for the day that it began in.
        ("Asia/Kolkata", ["28 18", "28 19", "29 18", "29 19"], [1, 2, 1]),
        ("America/New_York", ["28 03", "28 04", "29 03", "29 04"], [1, 2, 1]),
    ],
)
def test_days_of_the_chart_begin_at_midnight_of_the_zone_also_where_clocks_change(
    owner_client, company, key, zone, hours, expected
):
    company.time_zone = zone
    company.save(update_fields=["time_zone"])
    for hour in hours:
        use(key, at=datetime.strptime(f"2026-03-{hour}", "%Y-%m-%d %H").replace(tzinfo=UTC))
    points = page(owner_client, company, days="90").context["usage"].points
    found = [point.good for point in points if point.good]
    assert found == expected
    labels = [point.label for point in points if point.good]
    assert labels == (["27 Mar", "28 Mar", "29 Mar"] if "America" in zone else ["28 Mar", "29 Mar", "30 Mar"])


def test_where_hours_are_not_kept_so_long_the_page_counts_in_days_of_utc_and_says_so(
    owner_client, company, key, settings
):
    settings.USAGE_HOURS_KEPT_DAYS = 30
    company.time_zone = "Australia/Sydney"
    company.save()
    use(key, 2)
    response = page(owner_client, company, days="90")
    assert response.context["usage"].good_pairs[-1] == ("20 May", 2)
    assert "Days are those of UTC" in response.content.decode()


def test_an_unknown_number_of_days_counts_as_thirty(owner_client, company, key):
    for asked in ("0", "31", "-1", "x", "²", "9" * 40):
        assert page(owner_client, company, days=asked).context["usage"].window.days == 30


def test_one_key_can_be_looked_at_alone_and_a_foreign_one_is_no_page(
    owner_client, company, key, owner, server, other_company, stranger
):
    second, _token = make_key(company, server, owner)
    foreign, _token = make_key(other_company, server, stranger)
    use(key, 4)
    use(second, 2)
    use(foreign, 9)
    assert page(owner_client, company).context["usage"].total == 6
    assert page(owner_client, company, key=second.pk).context["usage"].total == 2
    assert page(owner_client, company, key=foreign.pk).status_code == 404
    assert page(owner_client, company, key="nosuchkey123").status_code == 404
    assert page(owner_client, company, key="a\x00b").status_code == 404


def test_the_most_used_keys_come_first_and_only_ten_of_them(owner_client, company, owner, server):
    keys = [make_key(company, server, owner)[0] for _ in range(12)]
    for number, key in enumerate(keys, 1):
        use(key, number)
    rows = page(owner_client, company).context["usage"].ranking.rows
    assert [row.total for row in rows] == list(range(12, 2, -1))
    assert rows[0].key == keys[-1]


def test_the_page_asks_five_questions_about_usage_however_much_there_is(company, owner, django_assert_num_queries):
    for number in range(3):
        key, _token = make_key(company, make_server(), owner)
        use(key, number + 1, tool=f"tool{number}", client=f"client{number}")
    found = window(company, 30, company.zone)
    with django_assert_num_queries(5):
        assert selectors.usage(found).total == 6


def test_tables_hold_the_same_requests_as_the_chart_where_a_day_begins_within_one_of_utc(owner_client, company, key):
    company.time_zone = "Australia/Sydney"
    company.save()
    first = datetime(2026, 5, 14, 14, tzinfo=UTC)  # there midnight, of the first of seven days
    use(key, 100, tool="before", client="before", at=first - timedelta(minutes=1))
    use(key, 1, tool="get_users", client="Cursor", at=first)
    use(key, 2, tool="get_users", client="Cursor", at=first + timedelta(hours=9, minutes=59))
    use(key, 4, tool="get_users", client="Cursor", at=first + timedelta(hours=10))
    use(key, 8, tool="get_orders", code="EXPIRED")
    for query in ({"days": "7"}, {"days": "7", "key": key.pk}):
        shown = page(owner_client, company, **query).context["usage"]
        assert (shown.good, shown.refused) == (7, 8)
        rows = [(row.value, row.total, row.refused) for row in shown.tools]
        assert rows == [("get_orders", 8, 8), ("get_users", 7, 0)]
        assert [(row.value, row.total) for row in shown.clients] == [("", 8), ("Cursor", 7)]
    ranked = page(owner_client, company, days="7").context["usage"].ranking
    assert [(row.key, row.total, row.refused) for row in ranked.rows] == [(key, 15, 8)]


def test_one_key_and_the_only_key_of_a_company_show_the_same(owner_client, company, key):
    use(key, 4, tool="get_users", client="Cursor")
    use(key, 2, code="EXPIRED", at=NOW - timedelta(hours=20))
    for days in ("1", "7", "30", "90"):
        of_all, of_one = (
            page(owner_client, company, days=days, **more).context["usage"] for more in ({}, {"key": key.pk})
        )
        assert (of_all.points, of_all.outcomes) == (of_one.points, of_one.outcomes)
        assert (of_all.tools, of_all.clients) == (of_one.tools, of_one.clients)
        assert of_one.ranking is None


@pytest.fixture
def many(monkeypatch, company, owner, server):
    """Two keys, which are more than a page adds up. What is asked of the worker waits."""
    monkeypatch.setattr(rankings, "LIVE", 1)
    asked = []
    monkeypatch.setattr("keys.usage.tasks.rank_keys.delay", lambda *arguments: asked.append(arguments))
    found = [make_key(company, server, owner)[0] for _ in range(2)]
    use(found[0], 3)
    use(found[1], 5)
    return found, asked


def test_of_too_many_keys_the_worker_finds_the_most_used(
    owner_client, company, many, django_capture_on_commit_callbacks
):
    keys, asked = many
    with django_capture_on_commit_callbacks(execute=True):
        content = page(owner_client, company).content.decode()
    assert "The keys are being counted" in content
    assert 'hx-trigger="every 3s"' in content
    assert asked == [(company.pk, 30)]
    assert rankings.rank(*asked[0])
    assert not rankings.rank(*asked[0]), "a message that comes twice"
    response = page(owner_client, company)
    assert [(row.key, row.total) for row in response.context["usage"].ranking.rows] == [(keys[1], 5), (keys[0], 3)]
    content = response.content.decode()
    assert "hx-trigger" not in content.partition('id="most-used"')[2].partition(">")[0]
    assert keys[1].name in content
    assert "this list is counted anew" in content


def test_the_worker_is_asked_once_a_minute_and_again_when_its_count_is_old(
    owner_client, company, many, django_capture_on_commit_callbacks
):
    _keys, asked = many
    with django_capture_on_commit_callbacks(execute=True):
        page(owner_client, company)
        page(owner_client, company)
        assert page(owner_client, company, days="7").status_code == 200
    assert asked == [(company.pk, 30), (company.pk, 7)]
    with time_machine.travel(NOW + timedelta(seconds=70), tick=False), django_capture_on_commit_callbacks(execute=True):
        page(owner_client, company)
    assert asked[2:] == [(company.pk, 30)], "what was asked may have been lost"
    with time_machine.travel(NOW + timedelta(seconds=80), tick=False):
        rankings.rank(company.pk, 30)
    for later, expected in ((9, []), (12, [(company.pk, 30)])):
        with (
            time_machine.travel(NOW + timedelta(minutes=later), tick=False),
            django_capture_on_commit_callbacks(execute=True),
        ):
            assert page(owner_client, company).context["usage"].ranking.rows, "the old count is shown meanwhile"
        assert asked[3:] == expected


def test_the_page_comes_without_a_queue(owner_client, company, many, monkeypatch, django_capture_on_commit_callbacks):
    def fail(*_arguments):
        raise ConnectionError

    monkeypatch.setattr("keys.usage.tasks.rank_keys.delay", fail)
    with django_capture_on_commit_callbacks(execute=True):
        assert page(owner_client, company).status_code == 200


def test_nobody_counts_what_nobody_asked_for(company, many):
    assert not rankings.rank(company.pk, 30)
    assert not rankings.rank("nosuchcompan", 30)
    assert not KeyRanking.objects.exists()


def test_the_whole_page_stays_under_twenty_queries(owner_client, company, key, django_assert_max_num_queries):
    use(key)
    with django_assert_max_num_queries(19):
        page(owner_client, company)


def test_the_file_has_every_count_of_the_period(owner_client, company, key):
    use(key, 7, tool="get_companies", client="gemini-cli")
    use(key, 2, code="RATE_LIMITED", at=NOW - timedelta(days=40))
    response = owner_client.get(reverse("usage_export", args=[company.slug]), {"days": "30"})
    assert response["Content-Type"].startswith("text/csv")
    assert "no-store" in response["Cache-Control"]
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert rows == [
        {
            "from": "2026-05-20T00:00+00:00", "key_id": key.pk, "key": key.name, "server": key.server.name,
            "tool": "get_companies", "client": "gemini-cli", "outcome": "VALID", "count": "7",
        }
    ]  # fmt: skip


def test_no_cell_of_the_file_is_a_formula(owner_client, company, key):
    use(key, client="=HYPERLINK(1)")
    content = b"".join(owner_client.get(reverse("usage_export", args=[company.slug])).streaming_content).decode()
    assert ",'=HYPERLINK(1)," in content


def test_the_file_is_for_members_only(stranger_client, company, key):
    assert stranger_client.get(reverse("usage_export", args=[company.slug])).status_code == 404


def test_the_keys_page_shows_its_last_days_refusals_and_where_it_was_seen(owner_client, company, key):
    use(key, 6, client="claude-code", tool="get_users")
    use(key, 1, client="claude-code", address="198.51.100.9", code="EXPIRED")
    use(key, 50, at=NOW - timedelta(days=20))
    response = owner_client.get(reverse("keys:detail", args=[company.slug, key.pk]))
    found = response.context["use"]
    assert (found.total, found.refused, len(found.pairs)) == (6, 1, 14)
    assert [(row.value, row.total) for row in found.refusals] == [("EXPIRED", 1)]
    content = response.content.decode()
    for words in ("203.0.113.7", "198.51.100.9", "claude-code", MEANINGS[Code.EXPIRED].message):
        assert words in content


def test_counts_of_another_companys_key_with_the_same_id_stay_out(owner_client, company, key, other_company):
    use(key, 2)
    UsageDay.objects.update(company_id=other_company.pk)
    CompanyDay.objects.update(company_id=other_company.pk)
    assert page(owner_client, company).context["usage"].total == 0
    assert owner_client.get(reverse("keys:detail", args=[company.slug, key.pk])).context["use"].total == 0


def test_what_clients_call_themselves_is_shown_as_text(owner_client, company, key):
    use(key, client="<script>alert(1)</script>")
    assert "<script>alert(1)" not in page(owner_client, company).content.decode()


def test_the_list_of_keys_draws_the_use_of_those_that_were_used(owner_client, company, key, owner, server):
    make_key(company, server, owner)
    use(key, 5)
    use(key, 2, at=NOW - timedelta(days=13))
    use(key, 9, at=NOW - timedelta(days=14))
    use(key, 9, code="EXPIRED")
    response = owner_client.get(reverse("keys:list", args=[company.slug]))
    assert response.context["listing"].uses == {key.pk: [2, *[0] * 12, 5]}
    assert response.content.decode().count('class="sparkline') == 1
