"""A person who owes a second factor sets it up on the way and comes back to the page that asked for it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.test import Client
from django.urls import reverse

from keys.models import McpServer
from portal.accounts.models import User
from portal.accounts.way_back import WAY_BACK
from portal.companies.models import Company
from tests.keys.oauth.driving import Agent, answered, register

pytestmark = pytest.mark.django_db

PASSWORD = "three green umbrellas dance"


@pytest.fixture
def owing(owner: User, company: Company) -> Client:
    """A browser of somebody whose company asks for a second factor, which they have not."""
    company.require_second_factor = True
    company.save()
    owner.set_password(PASSWORD)
    owner.save()
    browser = Client()
    browser.post(reverse("account_login"), {"login": owner.email, "password": PASSWORD})
    return browser


def set_up_app(browser: Client) -> Any:
    """The page after the authenticator app is set up."""
    setting_up = reverse("mfa_activate_totp")
    page = browser.get(setting_up, follow=True)
    if page.redirect_chain:  # asks for the password once more
        page = browser.post(page.redirect_chain[-1][0], {"password": PASSWORD}, follow=True)
    secret = page.context["form"].secret
    counter = next(iter(yield_hotp_counters_from_time()))
    return browser.post(setting_up, {"code": format_hotp_value(hotp_value(secret, counter))}, follow=True)


def test_the_way_leads_back_to_the_consent_page(server: McpServer, owing: Client):
    agent = Agent()
    asked = owing.get(agent.address())
    assert asked.status_code == 403 and "Use an authenticator app" in asked.content.decode()

    codes = set_up_app(owing)
    assert codes.redirect_chain[-1][0] == reverse("mfa_view_recovery_codes")
    assert f'href="{agent.address().replace("&", "&amp;")}"' in codes.content.decode()

    assert "code" in agent.consent(owing)
    assert WAY_BACK not in owing.session
    assert "I have kept them" not in owing.get(reverse("mfa_view_recovery_codes"), follow=True).content.decode()


def test_a_form_that_was_refused_meanwhile_leads_back_too(server: McpServer, owing: Client, company: Company):
    agent = Agent()
    owing.get(agent.address())
    assert owing.post(agent.address(), {"company": company.pk}).status_code == 403
    assert owing.session[WAY_BACK] == agent.address()
    assert answered(owing.post(agent.address(), {"refuse": "1"}))["error"] == "access_denied"


def test_the_way_leads_back_to_the_devices_page(server: McpServer, owing: Client):
    client = register(grant_types=["urn:ietf:params:oauth:grant-type:device_code"], redirect_uris=[])
    asked = urlencode({"client_id": client["client_id"], "scope": "tools:read"})
    form = "application/x-www-form-urlencoded"
    code = Client().post("/oauth/device_authorization", asked, content_type=form).json()["user_code"]
    assert owing.post("/oauth/device", {"user_code": code}, follow=True).status_code == 403
    assert 'href="/oauth/device/consent"' in set_up_app(owing).content.decode()
    assert owing.get("/oauth/device/consent").status_code == 200


def test_the_way_leads_back_to_a_page_of_the_company(owing: Client, owner: User, company: Company):
    page = reverse("keys:new", args=[company.slug])
    assert owing.get(page).status_code == 403
    assert owing.get(reverse("company", args=[company.slug]), headers={"HX-Request": "true"}).status_code == 403
    Authenticator.objects.create(user=owner, type=Authenticator.Type.WEBAUTHN, data={})
    answer = owing.get(reverse("mfa_index")).content.decode()
    assert "It is set up" in answer and f'href="{page}"' in answer
    assert owing.get(page).status_code == 200
    assert "It is set up" not in owing.get(reverse("mfa_index")).content.decode()
