"""Every page of accounts."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from tests.factories import PASSWORD
from tests.portal.accounts.driving import sign_in

ANONYMOUS = ["account_login", "account_signup", "account_reset_password", "account_reset_password_done"]
SIGNED_IN = [
    "account", "account_email", "account_change_password", "account_logout", "account_reauthenticate", "mfa_index",
    "mfa_activate_totp", "usersessions_list", "new_company",
]  # fmt: skip


@pytest.mark.parametrize("name", ANONYMOUS)
def test_pages_of_strangers_are_ours_and_have_no_inline_code(client, db, name):
    check_page(client.get(reverse(name)))


@pytest.mark.parametrize("name", SIGNED_IN)
def test_pages_of_an_account_are_ours_and_have_no_inline_code(client, owner, company, name):
    sign_in(client)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    check_page(client.get(reverse(name)))


def check_page(response):
    page = response.content.decode()
    assert response.status_code == 200
    assert 'lang="en"' in page and "<main" in page and page.count("<h1") == 1 and "latchkey.css" in page
    assert not re.search(r"<[^>]+\s(style|on[a-z]+)=", page)
    assert not re.search(r"<script(?![^>]*(src=|application/json))", page)
