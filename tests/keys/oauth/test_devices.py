from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from keys.models import McpServer
from keys.oauth import devices
from keys.oauth.models import Connection, DeviceRequest
from keys.oauth.tasks import purge
from keys.oauth.views import devices as device_views
from tests import factories
from tests.keys.oauth.driving import register, verdict

pytestmark = pytest.mark.django_db
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Terminal:
    """An AI client without a browser."""

    def __init__(self) -> None:
        self.client = register(grant_types=[GRANT, "refresh_token"], redirect_uris=[], client_name="Terminal agent")
        self.said: dict[str, Any] = {}

    def begin(self, **changes: Any) -> Any:
        data = {"client_id": self.client["client_id"], "scope": "tools:read"} | changes
        form = "application/x-www-form-urlencoded"
        response = Client().post("/oauth/device_authorization", urlencode(data), content_type=form)
        self.said = response.json()
        return response

    def poll(self, **changes: Any) -> Any:
        data = {"grant_type": GRANT, "device_code": self.said["device_code"], "client_id": self.client["client_id"]}
        return Client().post("/oauth/token", data | changes)


@pytest.fixture
def terminal(server: McpServer) -> Terminal:
    found = Terminal()
    assert found.begin().status_code == 200
    return found


def approve(browser: Client, terminal: Terminal, **choices: Any) -> Any:
    typed = browser.post("/oauth/device", {"user_code": terminal.said["user_code"].lower().replace("-", " ")})
    assert typed.status_code == 302, typed.content
    page = browser.get(typed.headers["Location"])
    assert page.status_code == 200
    form = page.context["form"]
    data = {"company": form["company"].initial, "tools": form["tools"].initial, "lifetime": "90"} | choices
    return browser.post(typed.headers["Location"], data)


def test_a_client_without_a_browser_connects(terminal: Terminal, owner_client: Client, company, server_token: str):
    said = terminal.said
    assert len(said["user_code"]) == 9 and said["interval"] == 5 and said["expires_in"] == 900
    assert urlsplit(said["verification_uri"]).path == "/oauth/device"
    assert said["verification_uri_complete"].endswith("?user_code=" + said["user_code"])
    assert terminal.poll().json()["error"] == "authorization_pending"
    done = approve(owner_client, terminal)
    assert b"goes on by itself" in done.content
    tokens = terminal.poll().json()
    assert tokens["scope"] == "tools:read" and tokens["refresh_token"].startswith("lk_ort_")
    found = verdict(server_token, tokens["access_token"], tool="get_companies")
    assert found["valid"] and found["company"]["id"] == company.pk and found["kind"] == "connection"
    assert Connection.objects.get().client_name == "Terminal agent"
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    again = Client().post("/oauth/token", refresh | {"client_id": terminal.client["client_id"]})
    assert verdict(server_token, again.json()["access_token"])["valid"]


def test_a_device_code_works_once_and_is_stored_nowhere(terminal: Terminal, owner_client: Client):
    assert not DeviceRequest.objects.filter(code_digest=terminal.said["device_code"]).exists()
    approve(owner_client, terminal)
    assert terminal.poll().status_code == 200
    assert terminal.poll().json()["error"] == "invalid_grant"


def test_the_person_can_refuse_the_device(terminal: Terminal, owner_client: Client):
    assert b"told no" in approve(owner_client, terminal, refuse="1").content
    assert terminal.poll().json()["error"] == "access_denied"
    assert not Connection.objects.exists()


def test_the_person_can_narrow_what_the_device_gets(server: McpServer, owner_client: Client):
    terminal = Terminal()
    terminal.begin(scope="tools:*")
    approve(owner_client, terminal, tools=["whoami"])
    assert terminal.poll().json()["scope"] == "tool:whoami"


def test_who_asks_too_often_is_slowed_down(terminal: Terminal, time_machine):
    assert terminal.poll().json()["error"] == "authorization_pending"
    assert terminal.poll().json()["error"] == "slow_down"
    time_machine.move_to(timezone.now() + timedelta(seconds=6))
    assert terminal.poll().json()["error"] == "slow_down"  # the interval is ten seconds now
    time_machine.move_to(timezone.now() + timedelta(seconds=30))
    assert terminal.poll().json()["error"] == "authorization_pending"


def test_a_code_that_nobody_typed_ends(terminal: Terminal, owner_client: Client, time_machine):
    time_machine.move_to(timezone.now() + timedelta(minutes=16))
    assert terminal.poll().json()["error"] == "expired_token"
    page = owner_client.post("/oauth/device", {"user_code": terminal.said["user_code"]})
    assert b"No AI client shows this code" in page.content
    time_machine.move_to(timezone.now() + timedelta(hours=2))
    purge()
    assert not DeviceRequest.objects.exists()


def test_another_client_gets_nothing_for_the_device_code(terminal: Terminal, owner_client: Client):
    approve(owner_client, terminal)
    other = register(grant_types=[GRANT], redirect_uris=[])
    assert terminal.poll(client_id=other["client_id"]).json()["error"] == "invalid_grant"
    assert terminal.poll().status_code == 200


def test_guessing_codes_is_stopped(terminal: Terminal, owner_client: Client, colleague_client: Client):
    for _ in range(devices.MOST_MISSES):
        page = owner_client.post("/oauth/device", {"user_code": "BBBB-BBBB"})
        assert b"No AI client shows this code" in page.content
    page = owner_client.post("/oauth/device", {"user_code": terminal.said["user_code"]})
    assert b"Too many wrong codes" in page.content
    assert colleague_client.post("/oauth/device", {"user_code": terminal.said["user_code"]}).status_code == 302


def test_a_code_in_the_address_is_filled_in_and_decides_nothing(terminal: Terminal, owner_client: Client):
    page = owner_client.get("/oauth/device", {"user_code": terminal.said["user_code"]})
    assert terminal.said["user_code"] in page.content.decode()
    assert "If somebody sent you this link" in page.content.decode()
    assert owner_client.get("/oauth/device/consent").status_code == 302  # nothing was typed in this session
    assert terminal.poll().json()["error"] == "authorization_pending"


def test_the_devices_page_shows_whose_code_it_is_and_proves_no_name(terminal: Terminal, owner_client: Client):
    owner_client.post("/oauth/device", {"user_code": terminal.said["user_code"]})
    page = owner_client.get("/oauth/device/consent").content.decode()
    for part in ("Terminal agent", "Nobody has checked that name", terminal.said["user_code"], "Acme"):
        assert part in page, part


def test_a_device_cannot_borrow_a_proven_name(terminal: Terminal, owner_client: Client):
    """Anybody can ask in the name of a public client: only an answer to its own address proves a host."""
    waiting = DeviceRequest.objects.get()
    waiting.client.registration_source = "cimd"
    waiting.client.client_id = "https://claude.ai/oauth/claude-code-client-metadata"
    waiting.client.save()
    owner_client.post("/oauth/device", {"user_code": terminal.said["user_code"]})
    page = owner_client.get("/oauth/device/consent").content.decode()
    assert "Proven to be of" not in page and "Nobody has checked that name" in page


def test_who_is_not_signed_in_signs_in_first(terminal: Terminal):
    response = Client().get("/oauth/device", {"user_code": terminal.said["user_code"]})
    assert response.status_code == 302 and "next=" in response.headers["Location"]


def test_a_company_without_a_card_confirms_it_and_lands_back_at_the_device(terminal: Terminal):
    person = factories.make_user()
    pending = factories.make_company("Fresh", state="pending", owner=person)
    browser = Client()
    browser.force_login(person)
    browser.post("/oauth/device", {"user_code": terminal.said["user_code"]})
    to_card = browser.get("/oauth/device/consent")
    assert urlsplit(to_card.headers["Location"]).path == f"/c/{pending.slug}/card/"
    card = {"cardholder": "Test", "number": "4242424242424242", "expiry": "12/33", "cvc": "123", "replaces": ""}
    assert browser.post(to_card.headers["Location"], card).headers["Location"] == "/oauth/device/consent"
    assert browser.get("/oauth/device/consent").status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"client_id": "nobody"}, "invalid_request"), ({"client_id": ""}, "invalid_request"),
     ({"resource": "https://elsewhere.example.com/mcp"}, "invalid_target"),
     ({"scope": "tool:nothing"}, "invalid_scope"), ({"scope": "admin"}, "invalid_scope")],
)  # fmt: skip
def test_a_wrong_device_request_says_what_is_wrong(server: McpServer, changes: dict[str, str], error: str):
    response = Terminal().begin(**changes)
    assert response.status_code in {400, 401}
    assert error in response.json()["error"]


def test_device_requests_are_limited_by_address(server: McpServer, monkeypatch):
    monkeypatch.setattr(device_views, "MOST_AN_HOUR", 2)
    terminal = Terminal()
    assert [terminal.begin().status_code for _ in range(3)] == [200, 200, 429]


def test_a_device_only_client_gets_no_code_by_redirect(terminal: Terminal, owner_client: Client):
    query = {"response_type": "code", "client_id": terminal.client["client_id"], "redirect_uri": "https://x.example/"}
    assert owner_client.get("/oauth/authorize", query).status_code == 400


def test_the_metadata_says_so():
    found = Client().get("/.well-known/oauth-authorization-server").json()
    assert found["device_authorization_endpoint"].endswith("/oauth/device_authorization")
    assert GRANT in found["grant_types_supported"] and "client_credentials" in found["grant_types_supported"]
