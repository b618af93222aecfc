"""An AI client sends somebody here who has no account: they register, confirm, and say yes, in one go."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CLIENT_HOST, Browse, Portal
from tests.browser.looking import look_at
from tests.browser.people import GOOD_CARD, confirm_address, fill_card, fill_sign_up, follow, new_address, press

pytestmark = [pytest.mark.browser, pytest.mark.processes]
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class Callback(BaseHTTPRequestHandler):
    """Where an AI client waits for the person's answer."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def client() -> Iterator[HTTPServer]:
    """An AI client that listens on a port of its own; `asked`: the addresses with which it was called back."""
    with HTTPServer((CLIENT_HOST, 0), Callback) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def registered(portal: Portal, callback: str, **metadata: object) -> str:
    body = {"redirect_uris": [callback], "client_name": "Pocket agent", "token_endpoint_auth_method": "none"}
    return str(httpx.post(f"{portal.url}/oauth/register", json=body | metadata, timeout=20).json()["client_id"])


@pytest.mark.parametrize(("javascript", "width"), [(True, 1280), (False, 360)])
def test_somebody_without_an_account_registers_and_lands_back_at_the_consent(
    browse: Browse, portal: Portal, client: HTTPServer, javascript: bool, width: int
):
    callback = f"http://{CLIENT_HOST}:{client.server_port}/callback"
    page = browse(javascript=javascript, width=width)
    look = look_at if javascript else lambda *_: None  # axe is a script itself: without scripts it never answers
    client_id, verifier = registered(portal, callback), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {"response_type": "code", "client_id": client_id, "redirect_uri": callback, "state": "s",
             "scope": "tools:*", "code_challenge": challenge, "code_challenge_method": "S256"}  # fmt: skip
    email = new_address("newcomer")

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
    page.wait_for_url(callback + "*")
    answer = parse_qs(urlsplit(client.asked[0]).query)  # type: ignore[attr-defined]
    assert answer["state"] == ["s"] and answer["iss"] == [portal.url]
    data = {"grant_type": "authorization_code", "code": answer["code"][0], "redirect_uri": callback,
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
