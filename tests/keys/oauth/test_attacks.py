"""The attacks of RFC 9700 and of MCP's security considerations, each by its name, through the front door."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import get_application_model

from keys.models import McpServer
from keys.oauth import registration
from keys.oauth.models import Connection
from keys.oauth.tasks import purge
from tests import factories
from tests.keys.oauth.driving import CALLBACK, Agent, answered, issuer, register, verdict

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(server: McpServer) -> Agent:
    return Agent()


def test_a_stolen_code_needs_the_verifier_and_the_client(agent: Agent, owner_client: Client):
    code = agent.consent(owner_client)["code"]
    thief = Agent()  # has the code, and a verifier of its own
    assert agent.token(code, code_verifier=thief.verifier).json()["error"] == "invalid_grant"
    assert agent.token(code, code_verifier=None).status_code == 400
    assert thief.token(code).status_code in {400, 401}
    assert agent.token(code).status_code == 200


def test_a_wrong_verifier_gets_nothing_even_if_it_begins_alike(agent: Agent, owner_client: Client):
    code = agent.consent(owner_client)["code"]
    for wrong in (agent.verifier[:-1] + "~", agent.verifier + "x", agent.challenge, ""):
        assert agent.token(code, code_verifier=wrong).status_code == 400


def test_code_replay_ends_what_came_of_the_code(agent: Agent, owner_client: Client, server_token: str):
    code = agent.consent(owner_client)["code"]
    tokens = agent.token(code).json()
    assert verdict(server_token, tokens["access_token"])["valid"]
    assert agent.token(code).json()["error"] == "invalid_grant"
    assert not verdict(server_token, tokens["access_token"])["valid"]


@pytest.mark.parametrize(
    "asked",
    ["https://evil.example.com/callback", CALLBACK + "/..", CALLBACK + "/", CALLBACK + "?x=1", CALLBACK + "#x",
     "http://127.0.0.1@evil.example.com/callback", "http://127.0.0.1.evil.example.com/callback",
     "http://127.0.0.1:51234\\@evil.example.com/callback", "HTTP://127.0.0.1:51234/CALLBACK",
     "javascript:alert(1)", ""],
)  # fmt: skip
def test_redirect_mismatch_is_told_to_the_person_and_to_nobody_else(agent: Agent, owner_client: Client, asked: str):
    response = owner_client.get(agent.address(redirect_uri=asked))
    assert response.status_code == 400 and "Location" not in response.headers


def test_a_code_is_not_given_out_for_another_redirect_than_it_went_to(server, owner_client: Client):
    other = "http://127.0.0.1:51234/other"
    agent = Agent(register(redirect_uris=[CALLBACK, other]))
    code = agent.consent(owner_client)["code"]
    assert agent.token(code, redirect_uri=other).status_code == 400


def test_mix_up_every_answer_names_its_issuer(agent: Agent, owner_client: Client):
    """A client that talks to several authorization servers sees whose answer it got, success or not (RFC 9207)."""
    answers = [
        agent.consent(owner_client),
        answered(owner_client.post(agent.address(), {"refuse": "1"})),
        answered(owner_client.get(agent.address(code_challenge_method="plain"))),
        answered(owner_client.get(agent.address(resource="https://elsewhere.example.com/"))),
        answered(owner_client.get(agent.address(scope="nonsense"))),
        answered(owner_client.get(agent.address(response_type="token"))),
        answered(owner_client.get(agent.address(prompt="none"))),
        answered(Client().get(agent.address(prompt="none"))),
    ]
    metadata = Client().get("/.well-known/oauth-authorization-server").json()
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert {answer["iss"] for answer in answers} == {metadata["issuer"]} == {issuer()}
    assert {answer["state"] for answer in answers} == {agent.state}


def test_a_token_for_another_audience_opens_nothing_here(agent: Agent, owner_client: Client, server_token: str):
    other = factories.make_server("other")
    tokens = Agent().sign_in(owner_client)
    credential = factories.make_credential(other)[1].text
    assert verdict(credential, tokens["access_token"])["code"] == "WRONG_SERVER"
    code = agent.consent(owner_client)["code"]
    assert agent.token(code, resource=other.url).json()["error"] == "invalid_target"


def test_refresh_reuse_ends_the_family_and_tells_the_person(
    agent: Agent, owner_client: Client, server_token: str, owner, django_capture_on_commit_callbacks
):
    stolen = agent.sign_in(owner_client)["refresh_token"]
    mine = agent.refresh(stolen).json()
    with django_capture_on_commit_callbacks(execute=True):
        assert agent.refresh(stolen).json()["error"] == "invalid_grant"
    assert agent.refresh(mine["refresh_token"]).json()["error"] == "invalid_grant"
    assert not verdict(server_token, mine["access_token"])["valid"]
    assert [message.to for message in mail.outbox] == [[owner.email]]


def test_consent_csrf_a_form_from_elsewhere_lets_nobody_in(agent: Agent, owner, company):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    data = {"company": company.pk, "tools": ["whoami"], "lifetime": "90"}
    for there in (
        agent.address(),
        "/oauth/device",
        "/oauth/device/consent",
        f"/c/{company.slug}/connections/machines/new/",
    ):
        assert browser.post(there, data, headers={"Origin": "https://evil.example.com"}).status_code == 403, there
    assert browser.get(agent.address() + "&" + urlencode(data, doseq=True)).status_code == 200  # GET decides nothing
    assert not Connection.objects.exists()


def test_clickjacking_no_page_of_consent_can_be_framed(agent: Agent, owner_client: Client):
    for there in (agent.address(), agent.address(client_id="nobody"), "/oauth/device"):
        page = owner_client.get(there)
        assert page.headers["X-Frame-Options"] == "DENY", there
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"], there


def test_open_redirect_an_error_goes_to_registered_addresses_only(agent: Agent, owner_client: Client):
    evil = "https://evil.example.com/"
    for changes in (
        {"client_id": "nobody", "redirect_uri": evil},
        {"redirect_uri": evil, "response_type": "nonsense"},
        {"redirect_uri": evil, "prompt": "none"},
        {"redirect_uri": [CALLBACK, evil]},
        {"redirect_uri": evil, "scope": "nonsense"},
    ):
        response = owner_client.get(agent.address(**changes))
        assert response.status_code == 400 and "Location" not in response.headers, changes
        refused = owner_client.post(agent.address(**changes), {"refuse": "1"})
        assert refused.status_code == 400 and "Location" not in refused.headers, changes


def test_open_redirect_signing_in_comes_back_here_only(agent: Agent):
    location = Client().get(agent.address()).headers["Location"]
    there = parse_qs(urlsplit(location).query)["next"][0]
    assert there.startswith("/oauth/authorize?") and not urlsplit(there).netloc


@pytest.fixture
def by_document(settings, monkeypatch) -> list[Any]:
    """Client metadata documents are on; every connection that is tried is listed, and fails."""
    settings.OAUTH2_PROVIDER = settings.OAUTH2_PROVIDER | {"CIMD_ENABLED": True}
    tried: list[Any] = []

    def connect(self: socket.socket, address: Any) -> None:
        tried.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


@pytest.mark.parametrize(
    "client_id",
    ["https://127.0.0.1/client.json", "https://localhost/client.json", "https://[::1]/client.json",
     "https://169.254.169.254/latest/meta-data", "https://10.0.0.8/c.json", "https://192.168.1.1/c.json",
     "https://[fd00::1]/c.json", "https://[::ffff:127.0.0.1]/c.json", "https://0.0.0.0/c.json", "https://2130706433/c.json",
     "http://example.com/client.json", "file:///etc/passwd", "https://user:pass@example.com/c.json",
     "https://example.com/c.json#part", "gopher://example.com/c"],
)  # fmt: skip
def test_ssrf_client_metadata_is_not_fetched_from_inside(
    server, owner_client: Client, by_document: list[Any], client_id: str
):
    response = owner_client.get(Agent({"client_id": client_id}).address())
    assert response.status_code == 400 and by_document == []
    assert not get_application_model().objects.exists()


def test_ssrf_a_public_name_that_leads_inside_is_not_followed(
    server, owner_client: Client, by_document: list[Any], monkeypatch
):
    for address in ("127.0.0.1", "10.1.2.3", "169.254.169.254"):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, found=found, **k: found)
        agent = Agent({"client_id": f"https://client-{address.replace('.', '-')}.example.com/c.json"})
        assert owner_client.get(agent.address()).status_code == 400
    assert by_document == []


def test_ssrf_a_name_that_changes_its_answer_gains_nothing(
    server, owner_client: Client, by_document: list[Any], monkeypatch
):
    """The address that was checked is the one that is connected to: a second look-up cannot lead elsewhere."""
    answers = iter(["93.184.216.34"] + ["127.0.0.1"] * 9)

    def look_up(host: str, *_a: Any, **_k: Any) -> Any:
        address = next(answers) if host == "rebinding.example.com" else host  # a number is what it is
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert owner_client.get(Agent({"client_id": "https://rebinding.example.com/c.json"}).address()).status_code == 400
    assert by_document and {address[0] for address in by_document} == {"93.184.216.34"}


@pytest.mark.parametrize(
    "name",
    ["Latchkey", "LATCHKEY sign-in", "claude.ai", "https://claude.ai", "Claude\u200b", "Claude\u202e", "<b>Claude</b>"],
)
def test_imitation_a_name_that_could_deceive_is_not_shown(server, owner_client: Client, name: str):
    body = json.dumps({"redirect_uris": [CALLBACK], "client_name": name, "token_endpoint_auth_method": "none"})
    response = Client().post("/oauth/register", body, content_type="application/json")
    if response.status_code == 400:
        return
    page = owner_client.get(Agent(response.json()).address()).content.decode()
    assert name not in page.partition("<main")[2]


def test_imitation_a_claimed_name_is_said_to_be_unchecked_and_its_destination_shown(server, owner_client: Client):
    fake = register(client_name="Claude Code", redirect_uris=["https://evil.example.com/callback"])
    page = owner_client.get(Agent(fake, "https://evil.example.com/callback").address()).content.decode()
    assert "Nobody has checked that name" in page and "evil.example.com" in page
    assert "Proven to be of" not in page


def test_imitation_a_logo_of_the_clients_is_never_loaded(server, owner_client: Client):
    fake = register(client_name="Agent", logo_uri="https://evil.example.com/logo.svg")
    page = owner_client.get(Agent(fake).address())
    assert "logo.svg" not in page.content.decode()
    assert "evil.example.com" not in page.headers["Content-Security-Policy"]


def test_registration_flooding_is_stopped_and_swept_up(server, owner_client: Client, monkeypatch, time_machine):
    monkeypatch.setattr(registration, "MOST_AN_HOUR", 5)
    used = Agent()
    tokens = used.sign_in(owner_client)
    body = json.dumps({"redirect_uris": [CALLBACK]})
    codes = [Client().post("/oauth/register", body, content_type="application/json").status_code for _ in range(9)]
    assert codes == [201] * 4 + [429] * 5
    time_machine.move_to(timezone.now() + timedelta(days=8))
    purge()
    assert [app.client_id for app in get_application_model().objects.all()] == [used.client["client_id"]]
    assert used.refresh(tokens["refresh_token"]).status_code == 200
