"""A recent sign-in, and what is asked without one."""

from __future__ import annotations

import pytest
import time_machine
from django.contrib.auth import get_user
from django.test import Client, RequestFactory
from django.urls import reverse

from portal.accounts.reauthentication import recent_sign_in_required
from tests.factories import PASSWORD
from tests.portal.accounts.driving import sign_in


@pytest.fixture
def guarded(owner, company):
    """Asks the guarded view, in the session of a client."""

    def ask(client, method="get", data=None):
        request = getattr(RequestFactory(), method)("/c/acme/secret/?a=1", data)
        request.session, request.user = client.session, get_user(client)
        request._messages = type("Messages", (), {"add": lambda *args: None})()
        response = recent_sign_in_required(lambda request: Client().get("/healthz/live"))(request)
        return request, response

    return ask


def test_a_fresh_sign_in_counts(guarded, client):
    sign_in(client)
    assert guarded(client)[1].status_code == 200


def test_an_old_sign_in_is_confirmed_first_and_then_comes_back(guarded, client):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        sign_in(client)
        clock.shift(601)
        _request, response = guarded(client)
        assert response["Location"] == f"{reverse('account_reauthenticate')}?next=%2Fc%2Facme%2Fsecret%2F%3Fa%3D1"
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
        assert guarded(client)[1].status_code == 200


def test_what_a_form_sent_is_not_kept(guarded, client):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        sign_in(client)
        clock.shift(601)
        request, response = guarded(client, "post", {"number": "4242424242424242"})
        assert response.status_code == 302
        assert "4242" not in str(dict(request.session.items()))


def test_another_sessions_sign_in_proves_nothing(guarded, client):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        sign_in(client)
        clock.shift(601)
        sign_in(Client())
        assert guarded(client)[1].status_code == 302


FACTOR_PAGES = ("mfa_activate_totp", "mfa_add_webauthn")


@pytest.mark.parametrize("page", FACTOR_PAGES)
def test_the_pages_of_the_second_factor_do_not_ask_again_right_after_a_sign_in(client, owner, company, page):
    sign_in(client)
    assert client.get(reverse(page)).status_code == 200


@pytest.mark.parametrize("page", FACTOR_PAGES)
def test_the_pages_of_the_second_factor_ask_again_after_ten_minutes(client, owner, company, page):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        sign_in(client)
        clock.shift(601)
        sign_in(Client())  # another session's sign-in proves nothing
        response = client.get(reverse(page))
        assert response["Location"].startswith(reverse("account_reauthenticate"))
        client.post(response["Location"], {"password": PASSWORD})
        assert client.get(reverse(page)).status_code == 200


def test_another_address_is_asked_for_without_the_password_right_after_a_sign_in(client, owner, company, mailoutbox):
    sign_in(client)
    mailoutbox.clear()
    response = client.post(reverse("account_email"), {"email": "new@example.com", "action_add": ""})
    assert not response["Location"].startswith(reverse("account_reauthenticate"))
    assert [mail.to for mail in mailoutbox] == [["new@example.com"]]


def test_another_address_asks_for_the_password_after_ten_minutes(client, owner, company, mailoutbox):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        sign_in(client)
        clock.shift(601)
        mailoutbox.clear()
        response = client.post(reverse("account_email"), {"email": "new@example.com", "action_add": ""})
        assert response["Location"].startswith(reverse("account_reauthenticate")) and not mailoutbox
