"""The monthly access review: made once, with sound advice; approved by an owner, kept as it was."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from keys import services
from keys.models import Key
from keys.reviews import mails, making
from keys.reviews.advice import Advice, Facts, Why, recommend
from keys.reviews.models import Review
from keys.usage.models import UsageDay
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from portal.companies.models import Company
from tests import factories

NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)


def days(number: int) -> datetime:
    return NOW - timedelta(days=number)


def facts(**changes: object) -> Facts:
    usual = {
        "is_key": True, "created_at": days(60), "last_used_at": days(1), "expires_at": NOW + timedelta(days=30),
        "scopes": ["tools:*"], "tools": ["a", "b", "c", "d"], "read_only_tools": ["a", "b"],
    }  # fmt: skip
    return Facts(**usual | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (Advice.KEEP, Why.IN_USE)),
        ({"last_used_at": None, "created_at": days(31)}, (Advice.REVOKE, Why.NEVER_USED)),
        ({"last_used_at": None, "created_at": days(29)}, (Advice.KEEP, Why.NEW)),
        ({"last_used_at": days(91)}, (Advice.REVOKE, Why.UNUSED)),
        ({"last_used_at": days(91), "created_at": days(900)}, (Advice.REVOKE, Why.UNUSED)),
        ({"created_at": days(366)}, (Advice.ROTATE, Why.OLD)),
        ({"created_at": days(366), "is_key": False}, (Advice.KEEP, Why.IN_USE)),
        ({"expires_at": None}, (Advice.ROTATE, Why.NO_EXPIRY)),
        ({"tools": ["a", "b"]}, (Advice.NARROW, Why.READS_ONLY)),
        ({"tools": ["a", "d"]}, (Advice.NARROW, Why.FEW_TOOLS)),
        ({"tools": []}, (Advice.KEEP, Why.IN_USE)),
        ({"tools": ["a"], "scopes": ["tools:read"]}, (Advice.KEEP, Why.IN_USE)),
    ],
)
def test_each_recommendation_has_its_reason(changes, expected):
    assert recommend(facts(**changes), NOW) == expected


pytestmark = pytest.mark.django_db


@pytest.fixture
def at_the_first(company):
    Company.objects.update(created_at=days(400))
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def review(at_the_first, key, company) -> Review:
    Key.objects.filter(pk=key.pk).update(created_at=days(40))
    assert making.make_due() == 1
    return Review.objects.get()


def test_a_review_lists_who_has_what_and_is_made_once(review, key, company, owner):
    (row,) = review.rows
    assert (row["id"], row["user"], row["advice"], row["why"]) == (key.pk, owner.pk, "revoke", "never_used")
    assert review.month.isoformat() == "2026-07-01"
    assert making.make_due() == 0
    with time_machine.travel(NOW + timedelta(days=40)):
        assert making.make_due() == 1
    assert Review.objects.count() == 2


def test_what_was_called_decides_about_narrowing(at_the_first, key, company, server):
    Key.objects.filter(pk=key.pk).update(created_at=days(40), last_used_at=days(1))
    read = next(iter(server.read_only_tools))
    UsageDay.objects.create(
        period=days(3), server_id=server.pk, company_id=company.pk, key_id=key.pk, code="VALID", tool=read, count=4
    )
    making.make_due()
    (row,) = Review.objects.get().rows
    assert (row["advice"], row["why"], row["tools"]) == ("narrow", "reads_only", [read])


def test_companies_without_keys_new_ones_and_suspended_ones_have_none(at_the_first, server, owner):
    new = factories.make_company("New", owner=owner)
    suspended = factories.make_company("Off", owner=owner)
    for company in (new, suspended):
        factories.make_key(company, server, owner)
    Company.objects.filter(pk=suspended.pk).update(state="suspended", created_at=days(90))
    assert making.make_due() == 0


@pytest.mark.slow
def test_many_companies_are_done_in_batches_of_a_few_queries(
    at_the_first, server, owner, django_assert_max_num_queries, monkeypatch
):
    monkeypatch.setattr(making, "BATCH", 40)
    companies = [factories.make_company(f"Company {number}", owner=owner) for number in range(90)]
    for company in companies:
        factories.make_key(company, server, owner)
    Company.objects.update(created_at=days(90))
    with django_assert_max_num_queries(3 * 10 + 4):
        assert making.make_due() == 90
    assert Review.objects.count() == 90


def test_a_run_that_was_stopped_is_taken_up_again(at_the_first, server, owner):
    for number in range(3):
        factories.make_key(factories.make_company(f"C {number}", owner=owner), server, owner)
    Company.objects.update(created_at=days(90))
    assert making.make_due(budget=0) == 0
    assert making.make_due() == 3


def test_owners_are_mailed_once_and_reminded_once_after_two_weeks(review, owner, colleague):
    assert (mails.tell_waiting(), mails.tell_waiting()) == (1, 0)
    assert [message.to for message in mail.outbox] == [[owner.email]]
    assert "July 2026" in mail.outbox[0].subject
    assert f"/reviews/{review.pk}/" in mail.outbox[0].body
    with time_machine.travel(NOW + timedelta(days=15)):
        assert (mails.tell_waiting(), mails.tell_waiting()) == (1, 0)
    assert "Still open" in mail.outbox[1].subject


def test_who_has_approved_is_not_reminded(review, owner_client, company):
    mails.tell_waiting()
    owner_client.post(f"/c/{company.slug}/reviews/{review.pk}/", {"act": "approve"})
    with time_machine.travel(NOW + timedelta(days=15)):
        assert mails.tell_waiting() == 0


def test_an_owner_approves_with_one_click(review, owner_client, owner, company, key):
    address = f"/c/{company.slug}/reviews/{review.pk}/"
    assert "It was never used." in owner_client.get(address).content.decode()
    assert owner_client.post(address, {"act": "approve", "note": "Looked at by both of us"}).status_code == 302
    review.refresh_from_db()
    assert (review.approved_by, review.note) == (owner, "Looked at by both of us")
    event = AuditEvent.objects.get(action="review:approved")
    assert event.data == {"rows": 1, "revoked": 0}
    key.refresh_from_db()
    assert key.state == "active"
    owner_client.post(address, {"act": "approve"})
    assert AuditEvent.objects.filter(action="review:approved").count() == 1


def test_ticked_keys_are_revoked_after_a_second_look(review, owner_client, company, key, server, owner):
    other, _ = factories.make_key(company, server, owner)
    foreign, _ = factories.make_key(factories.make_company(owner=owner), server, owner)
    address = f"/c/{company.slug}/reviews/{review.pk}/"
    ticked = {"act": "approve", "row": [key.pk, other.pk, foreign.pk]}
    page = owner_client.post(address, ticked)
    key.refresh_from_db()
    assert key.state == "active"
    assert "There is no way back" in page.content.decode()
    owner_client.post(address, ticked | {"confirmed": "on"})
    states = {one.pk: one.state for one in Key.objects.filter(pk__in=[key.pk, other.pk, foreign.pk])}
    assert states == {key.pk: "revoked", other.pk: "active", foreign.pk: "active"}
    assert AuditEvent.objects.get(action="key:revoked").reason == "Access review of July 2026"
    review.refresh_from_db()
    assert not review.is_open
    assert review.rows[0]["advice"] == "revoke"  # kept as it was


def test_only_owners_decide(review, colleague_client, company, server):
    address = f"/c/{company.slug}/reviews/{review.pk}/"
    assert colleague_client.get(address).status_code == 403  # a developer
    company.memberships.filter(role="developer").update(role="admin")
    assert colleague_client.get(address).status_code == 200
    assert colleague_client.post(address, {"act": "approve"}).status_code == 403
    review.refresh_from_db()
    assert review.is_open


def test_a_review_is_kept_as_a_file_and_printed(review, owner_client, company, key, owner):
    services.update_key(key=key, actor=Actor.user(owner), name="=cmd()")
    Review.objects.filter(pk=review.pk).update(rows=[review.rows[0] | {"name": "=cmd()"}])
    response = owner_client.get(f"/c/{company.slug}/reviews/{review.pk}/export.csv")
    (row,) = csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode()))
    assert (row["id"], row["name"], row["recommendation"], row["person"]) == (key.pk, "'=cmd()", "revoke", owner.name)
    assert row["reason"] == "It was never used."
    page = owner_client.get(f"/c/{company.slug}/reviews/{review.pk}/print/").content.decode()
    assert owner.name in page
    assert "=cmd()" in page


def test_another_companys_review_is_no_page(review, stranger_client, other_company):
    for part in ("", "print/", "export.csv"):
        assert stranger_client.get(f"/c/{other_company.slug}/reviews/{review.pk}/{part}").status_code == 404


def test_staff_see_how_many_are_open(review, staff_client, company):
    page = staff_client.get("/staff/reviews/")
    assert page.context["months"] == [{"month": review.month, "made": 1, "open": 1}]
    assert company.name in page.content.decode()
    Review.objects.update(approved_at=timezone.now())
    assert staff_client.get("/staff/reviews/").context["months"][0]["open"] == 0
