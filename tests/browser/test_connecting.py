"""An AI client sends somebody here who has no account: they register, confirm, and say yes, in one go."""

from __future__ import annotations

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import CLIENT_CALLBACK as CALLBACK
from tests.browser.conftest import Browse, Portal
from tests.browser.looking import look_at
from tests.browser.people import GOOD_CARD, confirm_address, fill_card, fill_sign_up, follow, new_address, press

pytestmark = [pytest.mark.browser, pytest.mark.processes]
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def registered(portal: Portal, **metadata: object) -> str:
    body = {"redirect_uris": [CALLBACK], "client_name": "Pocket agent", "token_endpoint_auth_method": "none"}
    return str(httpx.post(f"{portal.url}/oauth/register", json=body | metadata, timeout=20).json()["client_id"])


def caught(page: Page) -> list[str]:
    """The addresses with which the client is called back: nobody listens there, the browser itself is asked."""
    found: list[str] = []
    page.route(CALLBACK + "*", lambda route: (found.append(route.request.url), route.fulfill(body="done"))[1])
    return found


@pytest.mark.parametrize(("javascript", "width"), [(True, 1280), (False, 360)])
def test_somebody_without_an_account_registers_and_lands_back_at_the_consent(
    browse: Browse, portal: Portal, javascript: bool, width: int
):
    page = browse(javascript=javascript, width=width)
    look = look_at if javascript else lambda *_: None  # axe is a script itself: without scripts it never answers
    client_id, verifier = registered(portal), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {"response_type": "code", "client_id": client_id, "redirect_uri": CALLBACK, "state": "s",
             "scope": "tools:*", "code_challenge": challenge, "code_challenge_method": "S256"}  # fmt: skip
    answers, email = caught(page), new_address("newcomer")

    page.goto("/oauth/authorize?" + urlencode(query))
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    page.get_by_role("link", name="Create your company").first.click()
    fill_sign_up(page, email, f"Newcomers {width}")
    press(page, "Create company")
    confirm_address(page, email)
    fill_card(page, GOOD_CARD)
    press(page, "Confirm the card")

    expect(page.get_by_role("heading", level=1)).to_contain_text("Let Pocket agent connect?")
    expect(page.get_by_role("main")).to_contain_text("Nobody has checked that name")
    look(page, "consent")
    page.get_by_role("checkbox").last.uncheck()  # narrow it
    page.get_by_role("button", name="Let it connect").click()
    page.wait_for_url(CALLBACK + "*")
    answer = parse_qs(urlsplit(answers[0]).query)
    assert answer["state"] == ["s"] and answer["iss"] == [portal.url]
    data = {"grant_type": "authorization_code", "code": answer["code"][0], "redirect_uri": CALLBACK,
            "client_id": client_id, "code_verifier": verifier}  # fmt: skip
    tokens = httpx.post(f"{portal.url}/oauth/token", data=data, timeout=20).json()
    assert tokens["access_token"].startswith("lk_oat_") and "tools:*" not in tokens["scope"]
    assert portal.verdict(tokens["access_token"])["valid"]

    page.goto("/home/")
    page.goto(page.url.rstrip("/") + "/connections/")
    look(page, "connections")
    follow(page, "Pocket agent")
    page.get_by_role("link", name="Revoke").first.click()
    press(page, "Revoke the connection")
    assert not portal.verdict(tokens["access_token"])["valid"]

    waiting = httpx.post(f"{portal.url}/oauth/device_authorization", data={"client_id": client_id}, timeout=20).json()
    page.goto("/oauth/device")
    look(page, "device")
    page.get_by_label("Code").fill(waiting["user_code"])
    press(page, "Go on")
    expect(page.get_by_role("main")).to_contain_text(waiting["user_code"])
    look(page, "device consent")
    press(page, "Let it connect")
    expect(page.get_by_role("main")).to_contain_text("goes on by itself")
    data = {"grant_type": DEVICE, "device_code": waiting["device_code"], "client_id": client_id}
    assert "access_token" in httpx.post(f"{portal.url}/oauth/token", data=data, timeout=20).json()
