from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import get_application_model

from keys.mcp.config import Config
from keys.mcp.discovery import metadata as resource_metadata
from keys.models import McpServer
from keys.oauth import redirects, registration
from keys.oauth.tasks import purge
from tests.keys.oauth.driving import CALLBACK, Agent, issuer, register

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"])
def test_clients_find_the_server(path: str):
    response = Client().get(path)
    found = response.json()
    assert found["issuer"] == issuer()
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert "none" in found["token_endpoint_auth_methods_supported"]
    assert found["scopes_supported"] == ["tools:read"]
    for name in ("authorization", "token", "registration", "revocation", "introspection"):
        assert found[f"{name}_endpoint"].startswith(issuer() + "/oauth/")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert not response.cookies


def test_the_mcp_server_points_to_this_issuer_letter_by_letter():
    config = Config(portal_url=issuer(), public_url="http://localhost:8080", server_credential="x")
    document = resource_metadata(config, config.mcp_url)
    assert document["authorization_servers"] == [
        Client().get("/.well-known/oauth-authorization-server").json()["issuer"]
    ]


def test_documents_by_address_are_said_to_work_only_where_they_do(settings):
    settings.OAUTH2_PROVIDER = settings.OAUTH2_PROVIDER | {"CIMD_ENABLED": True}
    assert Client().get("/.well-known/oauth-authorization-server").json()["client_id_metadata_document_supported"]
    settings.OAUTH2_PROVIDER = settings.OAUTH2_PROVIDER | {"CIMD_ENABLED": False}
    assert not Client().get("/.well-known/oauth-authorization-server").json()["client_id_metadata_document_supported"]


@pytest.mark.parametrize("path", ["token", "register", "revoke"])
def test_a_web_page_may_call_without_cookies(path: str):
    response = Client().options(f"/oauth/{path}", headers={"Origin": "https://inspector.example.com"})
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_a_public_client_gets_no_secret_and_a_confidential_one_does():
    assert "client_secret" not in register()
    made = register(token_endpoint_auth_method="client_secret_basic")
    assert made["client_secret_expires_at"] == 0
    stored = get_application_model().objects.get(client_id=made["client_id"]).client_secret
    assert made["client_secret"] not in stored and stored.startswith("sha256$")


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)", "data:text/html,x", "http://evil.example.com/cb", "https://user@example.com/cb",
        "https://example.com/cb#part", "file:///etc/passwd", "/relative", "https://", "http://localhost.evil.com/",
        "https://example.com/ two", "evil-scheme://x", 7,
    ],
)  # fmt: skip
def test_a_dangerous_redirect_is_not_registered(uri):
    response = Client().post("/oauth/register", json.dumps({"redirect_uris": [uri]}), content_type="application/json")
    assert response.status_code == 400 and response.json()["error"] == "invalid_redirect_uri"
    assert not get_application_model().objects.exists()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"redirect_uris": "x"}', b"[" * 20_000,
     json.dumps({"redirect_uris": [CALLBACK], "grant_types": ["client_credentials"]}).encode(),
     json.dumps({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt"}).encode(),
     json.dumps({"redirect_uris": [CALLBACK], "client_name": "a\u202eb"}).encode(),
     json.dumps({"redirect_uris": [CALLBACK] * 11}).encode()],
)  # fmt: skip
def test_wrong_metadata_is_refused(body: bytes):
    response = Client().post("/oauth/register", body, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["error"] in {"invalid_client_metadata", "invalid_redirect_uri"}


def test_registrations_are_limited_by_address(monkeypatch):
    monkeypatch.setattr(registration, "MOST_AN_HOUR", 3)
    for _ in range(3):
        register()
    body = json.dumps({"redirect_uris": [CALLBACK]})
    refused = Client().post("/oauth/register", body, content_type="application/json")
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
    assert get_application_model().objects.count() == 3
    elsewhere = Client(REMOTE_ADDR="203.0.113.9").post("/oauth/register", body, content_type="application/json")
    assert elsewhere.status_code == 201


def test_only_clients_without_anything_that_lives_are_cleaned_up(server: McpServer, owner_client: Client, time_machine):
    used, unused = Agent(), register()
    used.sign_in(owner_client)
    time_machine.move_to(timezone.now() + timedelta(days=8))
    fresh = register()
    purge()
    left = set(get_application_model().objects.values_list("client_id", flat=True))
    assert left == {used.client["client_id"], fresh["client_id"]}
    assert unused["client_id"] not in left


def test_a_client_in_use_refreshes_after_the_clean_up(server: McpServer, owner_client: Client, time_machine):
    agent = Agent()
    tokens = agent.sign_in(owner_client)
    time_machine.move_to(timezone.now() + timedelta(days=20))
    purge()
    assert agent.refresh(tokens["refresh_token"]).status_code == 200


def ask(server_token: str, token: str, basic: bool = False):
    pair = base64.b64encode(f"server:{server_token}".encode()).decode()
    header = f"Basic {pair}" if basic else f"Bearer {server_token}"
    return Client().post("/oauth/introspect", {"token": token}, headers={"Authorization": header})


@pytest.mark.parametrize("basic", [False, True])
def test_introspection_tells_of_tokens_and_keys(
    server: McpServer, owner, owner_client: Client, server_token: str, key_token: str, basic: bool
):
    agent = Agent()
    tokens = agent.sign_in(owner_client)
    said = ask(server_token, tokens["access_token"], basic).json()
    assert said["active"] is True and said["aud"] == server.url and said["iss"] == issuer()
    assert said["client_id"] == agent.client["client_id"] and said["sub"] == owner.pk
    assert said["scope"] == "tools:read" and said["exp"] > timezone.now().timestamp()
    assert ask(server_token, key_token, basic).json()["scope"] == "tools:*"
    for wrong in (tokens["refresh_token"], "nonsense", key_token[:-1] + "!"):
        assert ask(server_token, wrong, basic).json() == {"active": False}


def test_introspection_answers_servers_only(key_token: str, server_token: str):
    assert Client().post("/oauth/introspect", {"token": key_token}).status_code == 401
    assert ask(key_token, key_token).status_code == 401
    assert ask(server_token[:-1] + "!", key_token, basic=True).status_code == 401


@pytest.mark.parametrize(
    ("uri", "local"), [("http://localhost:1/cb", True), ("cursor://x/cb", True), ("https://claude.ai/cb", False)]
)
def test_it_is_known_when_the_answer_stays_on_the_machine(uri: str, local: bool):
    assert redirects.is_allowed(uri) and redirects.is_local(uri) is local
