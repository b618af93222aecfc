"""Sign-in, discovery, health and settings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from keys.mcp import VERSION
from keys.mcp.config import Config, ConfigError
from keys.mcp.logs import JsonFormatter, LineFormatter, RedactTokens
from portal import settings as portal_settings
from tests.keys.mcp.conftest import CREDENTIAL, Portal

LOGIN = "/api/v1/login"
SIGN_IN = {"username": "olivia@example.com", "password": "secret words"}


def problem(status: int, kind: str, detail: str = "No.") -> tuple[int, dict[str, Any]]:
    return status, {"type": f"http://portal/problems/{kind}", "status": status, "detail": detail}


@pytest.mark.parametrize(
    ("answer", "status", "oauth"),
    [
        (problem(403, "login-failed"), 401, (400, "invalid_grant")),
        (problem(403, "not-allowed"), 403, (400, "unauthorized_client")),
        (problem(422, "company-inactive"), 403, (400, "unauthorized_client")),
        (problem(429, "login-throttled"), 429, (429, "temporarily_unavailable")),
        (problem(401, "not-authenticated"), 503, (503, "temporarily_unavailable")),
        (
            (403, {"type": "about:blank", "detail": "Only the portal's own server."}),
            503,
            (503, "temporarily_unavailable"),
        ),
        ((500, {}), 503, (503, "temporarily_unavailable")),
    ],
)
def test_each_refusal_of_a_sign_in_has_its_status(
    http: httpx.Client, portal: Portal, answer: tuple[int, Any], status: int, oauth: tuple[int, str]
):
    portal.answers[LOGIN] = answer
    message = {"id": 3, "method": "auth/login", "params": SIGN_IN}
    for found in (
        http.post("/rest/s1/mcp/auth/login", json=SIGN_IN),
        http.post("/rest/s1/mcp/protocol", json=message),
        http.post("/rest/s1/growerp/100/Login", json=SIGN_IN),
    ):
        assert found.status_code == status
        assert ("Retry-After" in found.headers) == (status in {429, 503})
        assert SIGN_IN["password"] not in found.text
    token = http.post("/rest/s1/mcp/auth/token", data={"grant_type": "password", **SIGN_IN})
    assert (token.status_code, token.json()["error"]) == oauth


def test_the_portal_learns_the_persons_address_and_client(http: httpx.Client, portal: Portal):
    portal.answers[LOGIN] = problem(403, "login-failed")
    http.post("/rest/s1/mcp/auth/login", json=SIGN_IN, headers={"User-Agent": "curl/8.5.0"})
    _path, body, headers = next(item for item in portal.asked if item[0] == LOGIN)
    sent = {name.lower(): value for name, value in headers.items()}
    assert sent["authorization"] == f"Bearer {CREDENTIAL}" and sent["x-client-address"] == "127.0.0.1"
    assert body["client"] == "curl" and body["username"] == SIGN_IN["username"]


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"username": ["a"], "password": "b"}', b'{"username": 1}'])
def test_a_sign_in_of_a_wrong_form_is_400(http: httpx.Client, portal: Portal, body: bytes):
    for path in ("mcp/auth/login", "growerp/100/Login"):
        answer = http.post(f"/rest/s1/{path}", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
    assert portal.bodies(LOGIN) == []


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("", "/mcp"),
        ("/mcp", "/mcp"),
        ("/rest/s1/mcp/protocol", "/rest/s1/mcp/protocol"),
    ],
)
def test_discovery_names_the_portal_letter_by_letter(http: httpx.Client, portal: Portal, path: str, resource: str):
    answer = http.get(f"/.well-known/oauth-protected-resource{path}", headers={"Origin": "http://anyone.example"})
    assert answer.status_code == 200 and answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json()["resource"] == f"http://mcp.example.com{resource}"
    assert answer.json()["authorization_servers"] == [portal.url]


def test_an_unknown_well_known_address_is_404_and_json(http: httpx.Client):
    answer = http.get("/.well-known/openid-configuration")
    assert answer.status_code == 404 and answer.json()["status"] == 404


def test_health_says_whether_the_portal_is_reachable(http: httpx.Client, portal: Portal):
    portal.answers["/healthz/"] = (503, {})
    answer = http.get("/health")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["portal"]) == ("degraded", "unreachable")


def test_many_questions_for_health_are_few_for_the_portal(http: httpx.Client, portal: Portal):
    for _ in range(20):
        assert http.get("/rest/s1/mcp/health").json()["status"] == "healthy"
    assert len(portal.bodies("/healthz/")) <= 2


class TestWithoutPasswordLogin:
    @pytest.fixture
    def config(self, portal: Portal) -> Config:
        return Config(
            portal_url=portal.url, public_url="http://localhost", server_credential=CREDENTIAL, password_login=False
        )

    def test_nobody_is_asked_for_a_password(self, http: httpx.Client, portal: Portal):
        answer = http.post(
            "/rest/s1/mcp/protocol", json={"id": 1, "method": "tools/call", "params": {"name": "whoami"}}
        )
        assert portal.url in answer.json()["error"]["data"]["prompt"]["instructions"]
        assert "switched off" in answer.json()["error"]["data"]["prompt"]["instructions"]
        assert "token_endpoint" not in http.get("/rest/s1/mcp/auth/discovery").json()["discoveryConfig"]


def test_the_versions_agree():
    assert VERSION == portal_settings.VERSION


class TestConfig:
    GOOD = {"LATCHKEY_SERVER_CREDENTIAL": "lk_srv_x"}

    def test_the_defaults_are_those_of_one_machine(self):
        config = Config.from_environment(self.GOOD)
        assert (config.portal_url, config.mcp_url) == ("http://localhost:8000", "http://localhost:8080/mcp")
        assert (config.host, config.port, config.password_login) == ("127.0.0.1", 8080, True)

    def test_production_signs_nobody_in_by_password_until_told_to(self):
        assert Config.from_environment({**self.GOOD, "LATCHKEY_ENV": "production"}).password_login is False

    def test_the_credential_may_come_from_a_file_and_is_never_shown(self, tmp_path: Path):
        file = tmp_path / "credential"
        file.write_text(f"{CREDENTIAL}\n")
        config = Config.from_environment({"LATCHKEY_SERVER_CREDENTIAL_FILE": str(file)})
        assert config.server_credential == CREDENTIAL and CREDENTIAL not in repr(config)

    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"LATCHKEY_SERVER_CREDENTIAL": ""}, "LATCHKEY_SERVER_CREDENTIAL"),
            ({"LATCHKEY_SERVER_CREDENTIAL_FILE": "/no/such"}, "LATCHKEY_SERVER_CREDENTIAL_FILE"),
            ({"MCP_PORT": "none"}, "MCP_PORT"),
            ({"LATCHKEY_URL": "localhost:8000"}, "LATCHKEY_URL"),
            ({"LATCHKEY_MCP_URL": "https://mcp.example.com/mcp"}, "LATCHKEY_MCP_URL"),
            ({"LATCHKEY_PASSWORD_LOGIN": "perhaps"}, "LATCHKEY_PASSWORD_LOGIN"),
            ({"LATCHKEY_ENV": "staging"}, "LATCHKEY_ENV"),
        ],
    )
    def test_a_wrong_setting_is_named(self, wrong: dict[str, str], named: str):
        with pytest.raises(ConfigError, match=named):
            Config.from_environment({**self.GOOD, **wrong})


@pytest.mark.parametrize("formatter", [LineFormatter(), JsonFormatter()])
def test_a_log_line_is_one_line_and_holds_no_secret(formatter: logging.Formatter):
    record = logging.LogRecord("n", logging.INFO, "f", 1, "key %s\nforged", (CREDENTIAL,), None)
    RedactTokens().filter(record)
    line = formatter.format(record)
    assert CREDENTIAL not in line and CREDENTIAL.rpartition("_")[0] in line
    assert "\n" not in line
