"""The company's page of its record, and the record as a file."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.audit.actors import SYSTEM, Actor
from portal.audit.exports import guarded
from portal.audit.models import AuditEvent
from portal.audit.services import Target, event_hash, record, record_many
from portal.companies.models import Company, Membership
from tests.portal.test_audit import drop_triggers

pytestmark = pytest.mark.django_db


def add(company, action="key:revoked", *, actor=SYSTEM, label="CI", **fields) -> AuditEvent:
    with transaction.atomic():
        return record(action, actor=actor, company=company, target=Target("key", "k1", label), **fields)


def page(client, company, **query):
    return client.get(reverse("audit", args=[company.slug]), query)


def text(response) -> str:
    return response.content.decode()


def test_it_says_who_did_what_why_and_from_where(owner_client, company, owner):
    actor = Actor("user", owner.pk, f"{owner.name} <{owner.email}>", "203.0.113.7", "Firefox")
    add(company, actor=actor, label="Build server", reason="Leaked: in a repository")
    shown = text(page(owner_client, company))
    for words in (owner.name, "revoked the key", "Build server", "Leaked: in a repository", "203.0.113.7", "Today"):
        assert words in shown


def test_an_event_below_its_day_says_its_time_alone(owner_client, company):
    Company.objects.filter(pk=company.pk).update(time_zone="Europe/Amsterdam")
    with time_machine.travel(datetime(2026, 7, 1, 22, 10, tzinfo=UTC), tick=False):
        add(company)
        shown = text(page(owner_client, company))
    assert 'datetime="2026-07-01T22:10:00+00:00" title="2 July 2026, 00:10 CEST" data-time="time">00:10</time>' in shown
    assert shown.index("Today") < shown.index(">00:10<")


def test_only_managers_of_the_company_see_it(client, colleague_client, stranger_client, company):
    add(company)
    assert page(colleague_client, company).status_code == 403
    assert page(stranger_client, company).status_code == 404
    assert page(client, company).status_code == 302


def test_another_companys_events_are_not_shown(owner_client, company, other_company):
    add(other_company, label="Their key")
    assert "Their key" not in text(page(owner_client, company))


def test_an_admin_sees_it_and_a_removed_one_does_not(colleague_client, company, colleague):
    membership = Membership.objects.get(company=company, user=colleague)
    membership.role = "admin"
    membership.save()
    assert page(colleague_client, company).status_code == 200
    membership.delete()
    assert page(colleague_client, company).status_code == 404


def test_it_filters_by_who_what_and_text(owner_client, company, owner, colleague):
    add(company, actor=Actor.user(owner), label="Of the owner")
    add(company, actor=Actor.user(colleague), label="Of the colleague")
    add(company, "company:suspended", actor=Actor.staff(owner), label="The company", reason="Unpaid")
    assert "Of the colleague" not in text(page(owner_client, company, actor=f"user:{owner.pk}"))
    assert "Of the owner" in text(page(owner_client, company, actor=f"user:{owner.pk}"))
    shown = text(page(owner_client, company, actor="staff"))
    assert "Unpaid" in shown and "Of the owner" not in shown
    shown = text(page(owner_client, company, action="key"))
    assert "Of the owner" in shown and "Unpaid" not in shown
    assert "Of the owner" not in text(page(owner_client, company, action="company:suspended"))
    shown = text(page(owner_client, company, q="unpaid"))
    assert "The company" in shown and "Of the owner" not in shown


def test_it_filters_by_period_in_the_companys_time_zone(owner_client, company):
    company.time_zone = "Pacific/Auckland"  # 13 hours ahead of UTC in November
    company.save()
    with time_machine.travel(datetime(2026, 11, 10, 12, 0, tzinfo=UTC), tick=False):
        add(company, label="On the eleventh there")
    assert "On the eleventh" in text(page(owner_client, company, since="2026-11-11", until="2026-11-11"))
    assert "On the eleventh" not in text(page(owner_client, company, since="2026-11-10", until="2026-11-10"))


def test_a_day_of_long_ago_is_begun_near_it_and_not_at_the_latest_event(owner_client, company):
    """Whatever the clocks of two machines said within a day of each other is found all the same."""
    made = {}
    days = ((2, "before"), (12, "early"), (11, "by a clock that is behind"), (12, "late"), (20, "after"), (28, "now"))
    for day, label in days:
        with time_machine.travel(datetime(2026, 11, day, 12, 0, tzinfo=UTC), tick=False):
            made[label] = add(company, label=label)
    with CaptureQueriesContext(connection) as asked:
        shown = text(page(owner_client, company, since="2026-11-12", until="2026-11-12"))
    assert "early" in shown and "late" in shown and "by a clock" not in shown
    listed = [query["sql"] for query in asked.captured_queries if "audit_auditevent" in query["sql"]]
    assert any(
        f'"id" > {made["before"].pk}' in sql and f'"id" < {made["after"].pk}' in sql for sql in listed
    ), listed  # fmt: skip
    assert "by a clock" in text(page(owner_client, company, since="2026-11-11", until="2026-11-11"))


def test_a_wrong_period_is_said(owner_client, company):
    shown = text(page(owner_client, company, since="2026-11-11", until="2026-11-10"))
    assert "before its beginning" in shown


@pytest.mark.parametrize(
    "query",
    [{"cursor": "!!!"}, {"cursor": "WzEsWzFdXQ"}, {"cursor": "W2ZhbHNlLFsiXHUwMDAwIl1d"}, {"actor": "nobody"},
     {"action": "'"}, {"since": "yesterday"}, {"q": "x" * 500}, {"q": "\0"}, {"q": "%"}],
)  # fmt: skip
def test_nonsense_in_the_address_is_no_error(owner_client, company, query):
    add(company)
    assert page(owner_client, company, **query).status_code == 200


def test_it_is_paged_by_cursor_forwards_and_back(owner_client, company):
    for number in range(120):
        add(company, label=f"Key number {number:03}.")
    first = page(owner_client, company)
    assert "Key number 119." in text(first) and "Key number 069." not in text(first)
    second = page(owner_client, company, cursor=first.context["page"].older)
    assert "Key number 069." in text(second) and "Key number 020." in text(second)
    third = page(owner_client, company, cursor=second.context["page"].older)
    assert "Key number 000." in text(third) and not third.context["page"].older
    back = page(owner_client, company, cursor=third.context["page"].newer)
    assert [event.pk for event in back.context["page"].rows] == [event.pk for event in second.context["page"].rows]
    front = page(owner_client, company, cursor=back.context["page"].newer)
    assert [event.pk for event in front.context["page"].rows] == [event.pk for event in first.context["page"].rows]
    assert not front.context["page"].newer


def test_days_have_names(owner_client, company):
    with time_machine.travel(datetime(2026, 11, 3, 12, tzinfo=UTC), tick=False):
        add(company)
    with time_machine.travel(datetime(2026, 11, 9, 12, tzinfo=UTC), tick=False):
        add(company)
    with time_machine.travel(datetime(2026, 11, 10, 12, tzinfo=UTC), tick=False):
        add(company)
        owner_client.force_login(Membership.objects.get(company=company, role="owner").user)
        days = [day for day, _lines in page(owner_client, company).context["days"]]
    assert days == ["Today", "Yesterday", "Tuesday, 3 November 2026"]


def test_it_says_that_the_chain_holds(owner_client, company):
    add(company)
    add(company)
    shown = text(page(owner_client, company))
    assert "Verified" in shown and "2 events hold" in shown


def test_it_says_where_the_chain_is_broken(owner_client, company):
    for _ in range(3):
        add(company)
    drop_triggers()
    AuditEvent.objects.filter(chain=company.pk, number=2).update(reason="nothing to see")
    shown = text(page(owner_client, company))
    assert "Broken" in shown and "event 2 was changed" in shown


def test_a_long_chain_is_verified_on_demand_only(owner_client, company, monkeypatch):
    monkeypatch.setattr("portal.audit.verification.INLINE", 1)
    add(company)
    add(company)
    assert "Not checked yet" in text(page(owner_client, company))
    assert "Verified" in text(page(owner_client, company, verify="1"))
    assert "Verified" in text(page(owner_client, company))


def test_a_page_takes_few_queries(owner_client, company, django_assert_max_num_queries):
    for _ in range(60):
        add(company)
    page(owner_client, company)
    with django_assert_max_num_queries(14):
        page(owner_client, company)


def export(client, company, file_format="csv", **query):
    return client.get(reverse("audit_export", args=[company.slug, file_format]), query)


def test_csv_holds_what_the_filter_finds(owner_client, company):
    add(company, label="One")
    add(company, "key:created", label="Two")
    response = export(owner_client, company, action="key:created")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in response["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert [(row["action"], row["target"]) for row in rows] == [("key:created", "Two")]
    assert rows[0]["sentence"] == "Latchkey created the key Two"


def test_csv_cells_are_no_formulas(owner_client, company):
    add(company, label="=cmd|' /C calc'!A0", reason="@SUM(1)")
    row = next(csv.DictReader(io.StringIO(b"".join(export(owner_client, company).streaming_content).decode())))
    assert row["target"] == "'=cmd|' /C calc'!A0"
    assert row["reason"] == "'@SUM(1)"


@pytest.mark.parametrize("value", ["=1", "+1", "-1", "@a", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_quoted(value):
    assert guarded(value) == f"'{value}"


def test_json_is_enough_to_verify_the_chain_elsewhere(owner_client, company):
    for number in range(3):
        add(company, label=f"Key {number}", data={"n": number})
    events = json.loads(b"".join(export(owner_client, company, "json").streaming_content))
    head = "0" * 64
    for fields in events:
        assert fields["previous_hash"] == head
        event = AuditEvent(**fields | {"at": datetime.fromisoformat(fields["at"])})
        assert event_hash(event) == fields["hash"]
        head = fields["hash"]
    assert len(events) == 4  # the export itself is the fourth


def test_an_export_is_an_event_itself(owner_client, company, owner):
    export(owner_client, company, "json")
    event = AuditEvent.objects.get(chain=company.pk, action="audit:exported")
    assert (event.actor_id, event.data) == (owner.pk, {"format": "json"})


def test_only_managers_export(colleague_client, stranger_client, company):
    assert export(colleague_client, company).status_code == 403
    assert export(stranger_client, company).status_code == 404
    assert not AuditEvent.objects.filter(action="audit:exported").exists()


def test_an_export_reads_in_pieces(owner_client, company, django_assert_max_num_queries):
    export(owner_client, company)  # the first request of a session writes more
    items = [(Target("key", str(n), "K"), {}) for n in range(2500)]
    with transaction.atomic():
        record_many(items, "key:revoked", actor=SYSTEM, company=company)
    with django_assert_max_num_queries(20):
        response = export(owner_client, company)
        lines = b"".join(response.streaming_content).decode().splitlines()
    assert len(lines) == 2503


def test_period_bounds_are_whole_days(owner_client, company):
    company.time_zone = "UTC"
    company.save()
    moment = datetime(2026, 11, 10, 23, 59, 59, tzinfo=UTC)
    with time_machine.travel(moment, tick=False):
        add(company, label="Last second")
    with time_machine.travel(moment + timedelta(seconds=1), tick=False):
        add(company, label="First second after")
    shown = text(page(owner_client, company, since="2026-11-10", until="2026-11-10"))
    assert "Last second" in shown and "First second after" not in shown
