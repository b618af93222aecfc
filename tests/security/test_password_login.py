"""POST /api/v1/login: GrowERP's sign-in by username and password, as the portal's own MCP server asks for it."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from keys.models import Key
from portal.companies.models import CompanyState
from tests import factories
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def sign_in(client: Client, server_token: str, company):
    def sign_in(username="owner@example.com", password=PASSWORD, client_name="gemini-cli", address="203.0.113.9"):
        return client.post(
            "/api/v1/login",
            json.dumps({"username": username, "password": password, "client": client_name}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {server_token}", "X-Client-Address": address},
        )

    return sign_in


def test_a_sign_in_makes_one_named_key_for_each_client_and_replaces_the_last(sign_in, company):
    first, second, other = sign_in().json(), sign_in().json(), sign_in(client_name="curl").json()
    keys = {key.pk: key for key in Key.objects.filter(company=company)}
    assert [keys[answer["key_id"]].state for answer in (first, second, other)] == ["revoked", "active", "active"]
    assert keys[second["key_id"]].name == "Sign-in from gemini-cli"
    assert 6.9 < (keys[second["key_id"]].expires_at - keys[second["key_id"]].created_at).total_seconds() / 86400 < 7.1


def test_it_does_not_tell_whether_the_account_exists(sign_in):
    wrong, unknown = sign_in(password="not the password"), sign_in("nobody@example.com")
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    first, second = wrong.json(), unknown.json()
    assert first.pop("request_id") != second.pop("request_id")
    assert first == second


def test_attempts_are_limited_by_account_even_from_many_addresses(sign_in):
    for number in range(5):
        assert sign_in(password="wrong", address=f"203.0.113.{number}").status_code == 403
    refused = sign_in(address="198.51.100.7")  # the right password now
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) <= 300


def test_attempts_are_limited_by_address_even_for_many_accounts(sign_in):
    for number in range(20):
        assert sign_in(f"person{number}@nowhere.example").status_code == 403
    assert sign_in().status_code == 429
    assert sign_in(address="198.51.100.7").status_code == 200


def test_without_an_active_company_there_is_no_key(sign_in, company):
    company.state = CompanyState.PENDING
    company.save()
    refused = sign_in()
    assert refused.status_code == 422
    assert "card" in refused.json()["detail"]
    assert not Key.objects.exists()


def test_a_second_factor_is_not_passed_by(sign_in, owner):
    owner.authenticator_set.create(type="totp", data={"secret": "x"})
    refused = sign_in()
    assert refused.status_code == 422
    assert "second factor" in refused.json()["detail"]
    assert not Key.objects.exists()


def test_it_can_be_switched_off(sign_in, settings):
    settings.PASSWORD_LOGIN = False
    assert sign_in().status_code == 403
    assert not Key.objects.exists()


def test_only_the_portals_own_server_may_ask(client: Client, company):
    _, other = factories.make_credential(factories.make_server("another"))
    response = client.post(
        "/api/v1/login",
        json.dumps({"username": "owner@example.com", "password": PASSWORD}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {other.text}"},
    )
    assert response.status_code == 403
    assert "apiKey" not in response.content.decode()
    assert not Key.objects.exists()
