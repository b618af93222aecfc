"""Telling people in time that a key ends."""

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from keys import notices, services
from keys.models import Key
from portal.audit.actors import SYSTEM
from portal.companies.models import Company, CompanyState
from tests import factories

pytestmark = pytest.mark.django_db


def sent_at(moment):
    mail.outbox.clear()
    with time_machine.travel(moment, tick=False):
        notices.send_due()
        notices.send_due()
    return [(message.to[0], message.subject) for message in mail.outbox]


def test_each_notice_comes_once_and_in_time(key, owner):
    assert sent_at(key.expires_at - timedelta(days=20)) == []
    for before, words in (
        (timedelta(days=13), "expires in less than 14 days"),
        (timedelta(days=2), "expires in less than 3 days"),
        (timedelta(0), "has expired"),
    ):
        assert sent_at(key.expires_at - before) == [(owner.email, f"Key “Owner's key” {words}")]
    assert sent_at(key.expires_at + timedelta(days=1)) == []


def test_the_keys_member_and_the_managers_are_told(company, server, colleague, owner):
    key, token = factories.make_key(company, server, colleague)
    told = sent_at(key.expires_at - timedelta(days=1))
    assert {address for address, _ in told} == {owner.email, colleague.email}
    for message in mail.outbox:
        assert token.text not in message.body
        assert f"/keys/{key.pk}/" in message.body
        assert message.alternatives[0].mimetype == "text/html"


def test_a_short_lived_key_is_not_announced_the_moment_it_is_made(company, server, owner):
    key, _ = factories.make_key(company, server, owner, expires_at=timezone.now() + timedelta(days=7))
    assert sent_at(timezone.now() + timedelta(minutes=1)) == []
    assert len(sent_at(key.expires_at - timedelta(days=2))) == 1


def test_nothing_is_said_of_keys_that_nobody_can_use(key, company):
    Company.objects.filter(pk=company.pk).update(state=CompanyState.SUSPENDED)
    assert sent_at(key.expires_at - timedelta(days=1)) == []
    Company.objects.filter(pk=company.pk).update(state=CompanyState.ACTIVE)
    services.revoke_key(key=key, reason="x", actor=SYSTEM)
    assert sent_at(key.expires_at - timedelta(days=1)) == []


def test_long_past_expiries_are_no_news(key):
    assert sent_at(key.expires_at + timedelta(days=30)) == []


def test_an_old_value_that_is_still_used_is_announced_before_it_ends(key, owner):
    services.rotate_key(key=key, overlap=timedelta(hours=24), actor=SYSTEM)
    ends = timezone.now() + timedelta(hours=24)
    assert sent_at(ends - timedelta(hours=1)) == []
    Key.objects.filter(pk=key.pk).update(last_used_at=timezone.now() + timedelta(minutes=5))
    assert sent_at(ends - timedelta(hours=1)) == [(owner.email, "The old value of key “Owner's key” is still in use")]


def test_a_mail_server_that_is_away_leaves_the_notice_to_the_next_run(key, monkeypatch):
    from django.core.mail import EmailMultiAlternatives

    def away(self, *_args, **_kwargs):
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(EmailMultiAlternatives, "send", away)
        with pytest.raises(ConnectionRefusedError):
            sent_at(key.expires_at - timedelta(days=13))
    assert len(sent_at(key.expires_at - timedelta(days=13))) == 1
