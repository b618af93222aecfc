"""The pages of the second factor: in our words, from setting one up to being asked for it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.accounts.models import User

pytestmark = pytest.mark.django_db
TITLE_CASE = re.compile(r"Two-Factor|Security Key|Authenticator App|Recovery Codes|Master key|Sign In\b")


def confirm(client: Client, page: str, password: str) -> str:
    """The text of `page`, after the password was asked for once more."""
    response = client.get(page)
    if response.status_code == 302:
        client.post(response["Location"], {"password": password})
        response = client.get(page)
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def member(owner: User) -> tuple[Client, str]:
    """A browser that the owner signed in with, and the password."""
    owner.set_password("three green umbrellas dance")
    owner.save()
    client = Client()
    client.post(reverse("account_login"), {"login": owner.email, "password": "three green umbrellas dance"})
    return client, "three green umbrellas dance"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("mfa_index", "Second factor"),
        ("mfa_activate_totp", "Set up an authenticator app"),
        ("mfa_add_webauthn", "Add a passkey"),
        ("mfa_list_webauthn", "No passkey yet."),
    ],
)
def test_the_pages_say_it_in_our_words(member: tuple[Client, str], page: str, words: str) -> None:
    text = confirm(member[0], reverse(page), member[1])
    assert words in text
    assert not TITLE_CASE.search(text)


def test_a_first_passkey_has_a_plain_name(member: tuple[Client, str]) -> None:
    assert 'value="Passkey"' in confirm(member[0], reverse("mfa_add_webauthn"), member[1])


def test_signing_in_asks_for_the_code_and_says_what_was_wrong(owner: User, member: tuple[Client, str]) -> None:
    TOTP.activate(owner, generate_totp_secret())
    client = Client()
    response = client.post(reverse("account_login"), {"login": owner.email, "password": member[1]}, follow=True)
    assert "One more step" in response.content.decode()
    answer = client.post(reverse("mfa_authenticate"), {"code": "000000"}).content.decode()
    assert "Type the one that the app shows now." in answer
    assert not TITLE_CASE.search(answer)


def test_who_is_asked_again_chooses_how_in_our_words(owner: User, member: tuple[Client, str]) -> None:
    TOTP.activate(owner, generate_totp_secret())
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        page = member[0].get(reverse("mfa_deactivate_totp"), follow=True).content.decode()
    assert "Use a code" in page and "Use authenticator app or code" not in page


def test_recovery_codes_can_be_downloaded_or_copied_as_lines(owner: User, member: tuple[Client, str]) -> None:
    TOTP.activate(owner, generate_totp_secret())
    codes = RecoveryCodes.activate(owner).get_unused_codes()
    page = member[0].get(reverse("mfa_view_recovery_codes")).content.decode()
    shown = re.search(r'id="codes"[^>]*>(.*?)</ul>', page, re.S)
    assert shown and re.sub(r"<[^>]*>", "", shown[1]).split("\n") == [*codes, ""]
    assert 'data-copy-from="codes"' in page and reverse("mfa_download_recovery_codes") in page
