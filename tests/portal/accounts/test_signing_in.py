"""Signing in and out."""

from __future__ import annotations

import time_machine
from django.contrib.auth import get_user
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.factories import PASSWORD
from tests.portal.accounts.driving import platform_actions, sign_in


def test_signing_in_by_address_leads_home(client, owner, company):
    assert sign_in(client)["Location"] == reverse("home")
    assert platform_actions() == ["account:signed_in"]


def test_signing_in_leads_only_to_pages_of_the_portal(client, owner, company):
    address = f"{reverse('account_login')}?next=https://evil.example/"
    response = client.post(address, {"login": owner.email, "password": PASSWORD, "next": "https://evil.example/"})
    assert response["Location"] == reverse("home")


def test_signing_in_changes_the_session(client, owner, company):
    client.get(reverse("account_login"))
    session = client.session
    session["probe"] = 1
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = before
    sign_in(client)
    assert client.session.session_key != before


def test_many_wrong_passwords_for_one_account_are_stopped_for_a_while(client, owner, company):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        for place in range(6):
            sign_in(Client(REMOTE_ADDR=f"203.0.113.{place}"), password="wrong wrong wrong")
        late = sign_in(Client(REMOTE_ADDR="203.0.113.99"))
        assert late.status_code in {200, 429} and "sessionid" not in late.cookies
        clock.shift(301)
        assert sign_in(Client(REMOTE_ADDR="203.0.113.99")).status_code == 302


def test_many_attempts_from_one_address_are_stopped(db):
    client = Client(REMOTE_ADDR="203.0.113.7")
    answers = [sign_in(client, f"person{place}@example.com", "wrong wrong wrong") for place in range(40)]
    stopped = [answer for answer in answers if answer.status_code == 429]
    limited = [a for a in answers if a.status_code == 200 and "Too many" in a.content.decode()]
    assert stopped or limited


def test_signing_out_needs_a_post(owner_client):
    owner_client.get(reverse("account_logout"))
    assert get_user(owner_client).is_authenticated
    assert owner_client.post(reverse("account_logout"))["Location"] == reverse("landing")
    assert not get_user(owner_client).is_authenticated


def test_cookies_are_not_for_scripts_or_other_sites(client, owner, company, settings):
    cookie = sign_in(client).cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"


def test_a_closed_account_cannot_sign_in(client, db):
    user = factories.make_user(is_active=False)
    sign_in(client, user.email)
    assert not get_user(client).is_authenticated
