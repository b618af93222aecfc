"""Members hear by mail what somebody else does to keys of theirs, and nobody of what they did themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail

from keys import alerts, services
from portal.audit.actors import Actor
from portal.companies.models import Membership
from portal.companies.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _commits(monkeypatch):
    """A test's own transaction never commits: queue at once what would be queued then."""
    monkeypatch.setattr(alerts.transaction, "on_commit", lambda act, **_more: act())


@pytest.fixture
def colleagues_key(company, server, colleague):
    return factories.make_key(company, server, colleague, name="CI")[0]


def subjects():
    return [(message.to[0], message.subject) for message in mail.outbox]


def test_who_acts_on_their_own_key_gets_no_mail(key, owner):
    services.rotate_key(key=key, overlap=timedelta(hours=1), actor=Actor.user(owner))
    services.revoke_key(key=key, reason="", actor=Actor.user(owner))
    assert mail.outbox == []


def test_a_key_that_an_admin_revokes_is_told_to_its_member_with_the_reason(colleagues_key, owner, colleague):
    services.revoke_key(key=colleagues_key, reason="Left in a log", actor=Actor.user(owner))
    assert subjects() == [(colleague.email, "Your key “CI” was revoked")]
    body = mail.outbox[0].body
    assert "Olivia Owner revoked" in body and "- Reason: Left in a log" in body and "UTC" in body
    assert f"/keys/{colleagues_key.pk}/" in body and owner.email not in body
    assert "Left in a log" in mail.outbox[0].alternatives[0][0]


def test_the_operator_is_named_as_such(colleagues_key, staff, colleague):
    services.revoke_key(key=colleagues_key, reason="leaked", actor=Actor.staff(staff))
    assert "The operator of this portal revoked" in mail.outbox[0].body
    assert staff.name not in mail.outbox[0].body


def test_many_keys_of_one_member_make_one_mail(company, server, colleague, owner):
    keys = [factories.make_key(company, server, colleague, name=f"Key {number}")[0] for number in range(23)]
    mine = factories.make_key(company, server, owner, name="Mine")[0]
    mail.outbox.clear()
    services.revoke_keys(key_ids=[mine.pk, *(key.pk for key in keys)], reason="", actor=Actor.user(owner))
    assert subjects() == [(colleague.email, "23 keys of yours were revoked")]
    assert "and 3 more" in mail.outbox[0].body


def test_a_rotation_and_a_change_by_somebody_else_are_told(colleagues_key, owner):
    services.update_key(key=colleagues_key, actor=Actor.user(owner), name="CI for releases")
    services.rotate_key(key=colleagues_key, overlap=timedelta(hours=1), actor=Actor.user(owner))
    assert [message.subject for message in mail.outbox] == [
        "Your key “CI for releases” was changed",
        "Your key “CI for releases” was rotated",
    ]
    assert "The old value is accepted until" in mail.outbox[1].body


def test_a_key_that_is_made_in_somebodys_name_is_told_without_its_value(company, server, owner, colleague):
    _key, token = services.create_key(
        company=company, server=server, user=colleague, name="For Colin", scopes=["tools:read"],
        expires_at=None, actor=Actor.user(owner),
    )  # fmt: skip
    assert subjects() == [(colleague.email, "Key “For Colin” was made in your name")]
    assert token.text not in mail.outbox[0].body + mail.outbox[0].alternatives[0][0]


def test_a_mail_is_written_in_the_companys_time_zone(colleagues_key, owner, company):
    company.time_zone = "Europe/Amsterdam"
    company.save()
    services.revoke_key(key=colleagues_key, reason="", actor=Actor.user(owner))
    assert " CET" in mail.outbox[0].body or " CEST" in mail.outbox[0].body


def test_a_member_who_is_removed_hears_of_their_keys(colleagues_key, company, colleague, owner):
    assert Membership.objects.get(user=colleague).role == Role.DEVELOPER
    services.revoke_keys(key_ids=[colleagues_key.pk], reason="Removed", actor=Actor.user(owner))
    assert subjects() == [(colleague.email, "Your key “CI” was revoked")]


def test_the_operator_is_named_in_the_language_of_the_reader(colleagues_key, staff, colleague):
    colleague.language = "nl"
    colleague.save()
    services.revoke_key(key=colleagues_key, reason="leaked", actor=Actor.staff(staff))
    assert "De exploitant van dit portaal heeft je sleutel" in mail.outbox[0].body
