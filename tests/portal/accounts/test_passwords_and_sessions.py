"""Passwords, sessions, and a person's own data."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user
from django.core import mail
from django.test import Client
from django.urls import reverse

from tests.factories import PASSWORD
from tests.portal.accounts.driving import STRONG, code_of, platform_actions, sign_in


def link_of(message):
    return re.search(r"https?://[^/\s]+(/\S+)", message.body)[1]


def test_a_reset_sets_a_new_password_once_and_ends_other_sessions(client, owner, company):
    elsewhere = Client()
    sign_in(elsewhere)
    client.post(reverse("account_reset_password"), {"email": owner.email})
    link = link_of(mail.outbox[-1])
    page = client.get(link, follow=True)
    response = client.post(page.redirect_chain[-1][0], {"password1": STRONG, "password2": STRONG})
    assert response.status_code == 302
    assert "account:password_reset" in platform_actions()
    assert not get_user(elsewhere).is_authenticated
    assert "does not work any more" in Client().get(link, follow=True).content.decode()
    assert sign_in(Client(), password=STRONG).status_code == 302
    assert "was reset" in mail.outbox[-1].subject


def test_a_changed_password_ends_the_other_sessions_and_is_recorded(client, owner, company):
    elsewhere = Client()
    sign_in(elsewhere)
    sign_in(client)
    client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": STRONG, "password2": STRONG})
    assert get_user(client).is_authenticated
    assert not get_user(elsewhere).is_authenticated
    assert "account:password_changed" in platform_actions()
    assert STRONG not in mail.outbox[-1].body


def test_other_sessions_can_be_ended(client, owner, company):
    elsewhere = Client()
    sign_in(elsewhere)
    elsewhere.get(reverse("account"))
    sign_in(client)
    assert "End all other sessions" in client.get(reverse("usersessions_list")).content.decode()
    client.post(reverse("usersessions_list"))
    assert not get_user(elsewhere).is_authenticated and get_user(client).is_authenticated
    assert "account:sessions_ended" in platform_actions()


def test_a_new_address_counts_once_it_is_confirmed(client, owner, company):
    sign_in(client)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(reverse("account_email"), {"email": "olivia@example.com", "action_add": ""})
    owner.refresh_from_db()
    assert owner.email == "owner@example.com"
    client.post(reverse("account_email_verification_sent"), {"code": code_of(mail.outbox[-1])})
    owner.refresh_from_db()
    assert owner.email == "olivia@example.com"
    assert "account:email_changed" in platform_actions()
    assert mail.outbox[-1].to == ["owner@example.com"]


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "Fill this in."),
        ("OWNER@example.com", "This is your address already."),
        ("nonsense@", "This is no e-mail address. Write it like anna@example.com."),
        (f"{'x' * 300}@example.com", "At most 254 characters; this is 312."),
    ],
)
def test_an_address_that_cannot_be_is_told_at_once_and_nothing_is_sent(client, owner, company, address, says):
    sign_in(client)
    mail.outbox.clear()
    refused = client.post(reverse("account_email"), {"email": address, "action_add": ""})
    assert refused.context["form"].errors == {"email": [says]}
    assert not mail.outbox


def test_the_address_of_another_account_is_answered_as_a_new_one(client, owner, company, stranger):
    sign_in(client)
    answers = []
    for address in (stranger.email, "nobody.has.it@example.com"):
        answer = client.post(reverse("account_email"), {"email": address, "action_add": ""}, follow=True)
        text = answer.content.decode().replace(quote(address), "ADDRESS").replace(address, "ADDRESS")
        answers.append((answer.redirect_chain, re.sub(r'csrfmiddlewaretoken" value="[^"]*"', "", text)))
    assert answers[0] == answers[1]
    owner.refresh_from_db()
    assert owner.email == "owner@example.com"


def test_the_account_page_changes_the_name(owner_client, owner):
    owner_client.post(reverse("account"), {"name": "Olivia New"})
    owner.refresh_from_db()
    assert owner.name == "Olivia New"
    response = owner_client.post(reverse("account"), {"name": "visit evil.com"})
    assert "web or e-mail" in response.content.decode()
    assert "account:name_changed" in platform_actions()
