"""Nobody learns who has an account."""

from __future__ import annotations

import re
import statistics
import time

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from portal.accounts.models import User
from portal.companies.models import Company
from tests.factories import PASSWORD
from tests.portal.accounts.driving import CODE, STRONG, sign_in, sign_up


def test_a_known_address_gets_the_same_answer_and_a_mail_that_says_so(client, owner):
    known = sign_up(client, email="owner@example.com")
    unknown = sign_up(Client(), email="new@example.com")
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert Company.objects.count() == 1 and User.objects.count() == 2
    assert mail.outbox[0].to == ["owner@example.com"] and "has an account already" in mail.outbox[0].body
    assert not CODE.search(mail.outbox[0].body)


def test_the_page_after_a_known_address_looks_the_same(client, owner):
    sign_up(client, email="owner@example.com")
    other = Client()
    sign_up(other, email="nobody@example.com")
    pages = [
        re.sub(r'value="[A-Za-z0-9]{64}"', "", browser.get(reverse("account_email_verification_sent")).content.decode())
        .replace("owner@example.com", "X").replace("nobody@example.com", "X")
        .replace("owner%40example.com", "X").replace("nobody%40example.com", "X")
        for browser in (client, other)
    ]  # fmt: skip
    changing = re.compile(r"<details><summary>Use another address.*?</details>", re.DOTALL)
    assert changing.sub("", pages[0]) == changing.sub("", pages[1])


def test_a_wrong_password_and_an_unknown_account_read_the_same(client, owner):
    errors = [
        sign_in(client, email, "wrong wrong wrong").context["form"].errors.as_json()
        for email in ("owner@example.com", "nobody@example.com")
    ]
    assert errors[0] == errors[1]


def test_a_reset_reads_the_same_for_an_unknown_account(client, owner):
    answers = [
        client.post(reverse("account_reset_password"), {"email": email}) for email in (owner.email, "no@example.com")
    ]
    assert answers[0].status_code == answers[1].status_code == 302
    assert answers[0]["Location"] == answers[1]["Location"]
    assert [message.to for message in mail.outbox] == [["owner@example.com"], ["no@example.com"]]
    assert "no account with it" in mail.outbox[1].body


@pytest.mark.slow
def test_an_unknown_account_takes_as_long_as_a_wrong_password(client, owner, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    settings.ACCOUNT_RATE_LIMITS = False
    owner.set_password(PASSWORD)
    owner.save()
    took = {}
    for email in ("owner@example.com", "nobody@example.com"):
        times = []
        for _ in range(2):
            began = time.process_time()
            sign_in(client, email, "wrong wrong wrong")
            times.append(time.process_time() - began)
        took[email] = statistics.median(times)
    assert 0.5 < took["nobody@example.com"] / took["owner@example.com"] < 2


def test_a_sign_up_with_a_known_address_costs_a_hash_too(client, owner, monkeypatch):
    hashed = []
    monkeypatch.setattr("portal.accounts.forms.make_password", lambda password: hashed.append(password) or "")
    sign_up(client, email=owner.email)
    assert hashed == [STRONG]
