"""What is kept of sign-ins, what their owner sees of it, and which mails say that something happened to an account."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.contrib.auth import get_user
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.accounts import sign_ins
from portal.accounts.models import SignIn, SignInMethod, User
from portal.audit.models import AuditEvent
from tests.factories import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/18 Safari/605.1"


@pytest.fixture(autouse=True)
def _commits_at_once(monkeypatch):
    monkeypatch.setattr("portal.accounts.adapter.on_commit", lambda act: act())


def sign_in(user, *, password=PASSWORD, agent=FIREFOX, ip="203.0.113.9"):
    client = Client(headers={"User-Agent": agent}, REMOTE_ADDR=ip)
    client.post(reverse("account_login"), {"login": user.email, "password": password})
    return client


@pytest.fixture
def old_owner(owner, company):
    """The owner, whose account is older than a day, after one sign-in with Firefox."""
    User.objects.filter(pk=owner.pk).update(date_joined=timezone.now() - timedelta(days=30))
    sign_in(owner)
    mail.outbox.clear()
    owner.refresh_from_db()
    return owner


def test_a_sign_in_and_a_refused_attempt_are_listed(owner, company):
    sign_in(owner, password="wrong wrong wrong", agent=SAFARI, ip="198.51.100.7")
    client = sign_in(owner)
    for address in ("sign_ins", "account"):
        page = client.get(reverse(address)).content.decode()
        assert "Firefox on Linux" in page and "Safari on macOS" in page
        assert "198.51.100.7" in page and "Refused" in page and "Signed in" in page


def test_nobody_sees_the_sign_ins_of_another(owner, stranger, company, other_company):
    sign_in(owner, ip="198.51.100.7")
    assert "198.51.100.7" not in sign_in(stranger).get(reverse("sign_ins")).content.decode()


def test_an_attempt_at_an_unknown_address_costs_a_row_too(db):
    Client().post(reverse("account_login"), {"login": "nobody@example.com", "password": "wrong wrong wrong"})
    entry = SignIn.objects.get()
    assert (entry.user, entry.succeeded) == (None, False)


def test_the_first_sign_in_of_a_new_account_is_no_news(owner, company):
    sign_in(owner)
    assert mail.outbox == []


def test_the_first_sign_in_that_is_kept_of_an_old_account_is_told(owner, company):
    User.objects.filter(pk=owner.pk).update(date_joined=timezone.now() - timedelta(days=30))
    sign_in(owner)
    assert [message.subject for message in mail.outbox] == ["New sign-in with Firefox on Linux"]


@pytest.mark.parametrize(
    ("agent", "ip", "told"),
    [
        (FIREFOX, "203.0.113.9", False),
        (FIREFOX.replace("142", "143"), "203.0.113.77", False),
        (SAFARI, "203.0.113.9", True),
        (FIREFOX, "198.51.100.7", True),
    ],
)
def test_a_new_browser_or_network_is_told_by_mail(old_owner, agent, ip, told):
    sign_in(old_owner, agent=agent, ip=ip)
    assert len(mail.outbox) == told
    if told:
        message = mail.outbox[0]
        assert message.to == [old_owner.email]
        assert f"- From: {ip}" in message.body and "UTC" in message.body and "- How: Password" in message.body
        assert "If it was not" in message.body and old_owner.name in message.body
        assert ip in message.alternatives[0][0]


def test_what_is_older_than_ninety_days_is_forgotten_and_new_again(old_owner):
    with time_machine.travel(timezone.now() + timedelta(days=91)):
        assert sign_ins.purge() == 1
        sign_in(old_owner)
    assert len(mail.outbox) == 1


def test_a_wrong_code_after_the_right_password_is_kept(old_owner):
    TOTP.activate(old_owner, generate_totp_secret())
    client = sign_in(old_owner)
    client.post(reverse("mfa_authenticate"), {"code": "000000"})
    entry = sign_ins.recent(old_owner).first()
    assert (entry.succeeded, entry.method) == (False, SignInMethod.PASSWORD_TOTP)


def test_a_recovery_code_that_is_used_is_recorded_and_told(old_owner):
    TOTP.activate(old_owner, generate_totp_secret())
    codes = RecoveryCodes.activate(old_owner)
    client = sign_in(old_owner)
    client.post(reverse("mfa_authenticate"), {"code": codes.get_unused_codes()[0]})
    assert get_user(client).is_authenticated
    assert sign_ins.recent(old_owner).first().method == SignInMethod.PASSWORD_RECOVERY
    assert AuditEvent.objects.get(action="account:recovery_code_used").data == {"left": 9}
    (message,) = mail.outbox
    assert message.subject == "A recovery code was used" and "9 are left" in message.body
    assert not any(code in message.body for code in RecoveryCodes(codes.instance).generate_codes())


def test_one_other_session_is_ended_by_its_button_and_told(old_owner):
    elsewhere, here = sign_in(old_owner), sign_in(old_owner)
    for client in (elsewhere, here):
        client.get(reverse("account"))
    other = UserSession.objects.get(session_key=elsewhere.session.session_key)
    page = here.get(reverse("usersessions_list")).content.decode()
    assert 0 < page.index("This one") < page.index(reverse("end_session", args=[other.pk]))  # one's own stands first
    here.post(reverse("end_session", args=[other.pk]))
    assert not get_user(elsewhere).is_authenticated and get_user(here).is_authenticated
    assert [message.subject for message in mail.outbox] == ["Sessions of your account were ended"]


def test_nobody_ends_the_session_of_another_and_not_their_own_by_mistake(old_owner, stranger, other_company):
    client, theirs = sign_in(stranger), sign_in(old_owner)
    for browser in (client, theirs):
        browser.get(reverse("account"))
    foreign = UserSession.objects.get(user=old_owner, session_key=theirs.session.session_key)
    assert client.post(reverse("end_session", args=[foreign.pk])).status_code == 404
    own = UserSession.objects.get(user=stranger)
    client.post(reverse("end_session", args=[own.pk]))
    assert get_user(client).is_authenticated and get_user(theirs).is_authenticated


def test_a_session_is_noted_once_a_minute_and_a_new_address_at_once(old_owner):
    def seen():
        return UserSession.objects.get(session_key=client.session.session_key)

    with time_machine.travel("2026-11-26T12:00:00Z", tick=False) as clock:
        client = sign_in(old_owner)
        client.get(reverse("account"))
        noted = seen().last_seen_at
        clock.shift(timedelta(seconds=59))
        client.get(reverse("account"))
        assert seen().last_seen_at == noted
        client.get(reverse("account"), REMOTE_ADDR="203.0.113.10")
        assert (seen().ip, seen().last_seen_at) == ("203.0.113.10", timezone.now())
        clock.shift(timedelta(seconds=61))
        client.get(reverse("account"), REMOTE_ADDR="203.0.113.10")
        assert seen().last_seen_at == timezone.now()
