from __future__ import annotations

import pytest
from django.test import Client
from django.utils.html import escape

from keys.models import Key
from keys.services import revoke_key
from portal.audit.actors import SYSTEM
from portal.companies.models import Company
from tests import factories

pytestmark = pytest.mark.django_db


def page(key: Key) -> str:
    return f"/oauth/grant/{key.pk}?tool=get_users"


def test_who_may_change_the_key_lands_at_its_edit_page(key: Key, company: Company, owner_client: Client):
    there = owner_client.get(page(key))
    assert there.status_code == 302
    assert there.headers["Location"] == f"/c/{company.slug}/keys/{key.pk}/edit/?tool=get_users"
    assert owner_client.get(there.headers["Location"]).status_code == 200


def test_who_may_not_is_told_whom_to_ask(key: Key, colleague_client: Client):
    found = colleague_client.get(page(key))
    assert found.status_code == 200
    for part in ("owner@example.com", "get_users", escape(key.name)):
        assert part in found.content.decode(), part


def test_a_viewer_is_told_whom_to_ask_about_a_key_in_their_name(key: Key, company: Company, owner):
    viewer = factories.make_user()
    factories.make_member(company, viewer, "viewer")
    browser = Client()
    browser.force_login(viewer)
    assert "owner@example.com" in browser.get(page(key)).content.decode()


def test_a_stranger_finds_nothing(key: Key, stranger_client: Client):
    assert stranger_client.get(page(key)).status_code == 404
    assert stranger_client.get("/oauth/grant/nothing00000").status_code == 404


def test_who_is_not_signed_in_signs_in_and_comes_back(key: Key):
    response = Client().get(page(key))
    assert response.status_code == 302 and "next=/oauth/grant/" in response.headers["Location"]


def test_a_key_that_is_over_gets_nothing(key: Key, owner_client: Client):
    revoke_key(key=key, reason="x", actor=SYSTEM)
    found = owner_client.get(page(key))
    assert found.status_code == 409 and "no longer in use" in found.content.decode()


def test_a_name_that_is_no_tool_is_not_repeated(key: Key, colleague_client: Client):
    found = colleague_client.get(f"/oauth/grant/{key.pk}?tool=Call+555-0100")
    shown = found.content.decode().partition("<main")[2].partition("</main>")[0]
    assert shown and "555" not in shown
