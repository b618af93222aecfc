"""What GrowERP's five published scripts look for, written anew and stricter, against the real processes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Stack

pytestmark = pytest.mark.processes

TOOLS = {
    "get_companies",
    "get_users",
    "get_entity_info",
    "get_service_info",
    "ping_system",
    "whoami",
    "list_api_keys",
}


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    """A plain HTTP client, as curl is: no MCP headers."""
    with httpx.Client(base_url=f"{stack.mcp}/rest/s1", timeout=20, headers={"User-Agent": "curl/8.5.0"}) as client:
        yield client


def sign_in(stack: Stack, **more: Any) -> dict[str, Any]:
    owner = stack.owner
    return {"username": owner["email"], "password": owner["password"], "classificationId": "AppSupport", **more}


def call(http: httpx.Client, method: str, key: str = "", **params: Any) -> httpx.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return http.post("/mcp/protocol", json=message, headers={"api_key": key} if key else {})


def text_of(answer: httpx.Response) -> str:
    """The text content of a tool's result."""
    result = answer.json()["result"]
    assert result.get("isError") is not True, result
    (content,) = result["content"]
    assert content["type"] == "text"
    assert json.loads(content["text"]) == result["structuredContent"]
    return content["text"]


class TestAuthPrompts:
    """test_auth_prompts: the AI is told to ask for a sign-in, signs in, and gets its company list."""

    def test_a_call_without_a_key_is_401_with_a_challenge_and_the_prompt(self, http: httpx.Client, stack: Stack):
        answer = call(http, "tools/call", name="get_users", arguments={})
        assert answer.status_code == 401
        challenge = answer.headers["WWW-Authenticate"]
        metadata = re.search(r'^Bearer .*resource_metadata="([^"]+)"', challenge)
        assert metadata and "error=" not in challenge and 'scope="tools:read"' in challenge
        assert httpx.get(metadata[1]).json()["resource"] == stack.protocol
        error = answer.json()["error"]
        assert (answer.json()["id"], error["code"], error["message"]) == (1, -32002, "Authentication required")
        assert error["data"]["type"] == "auth_prompt"
        assert error["data"]["operation"] == "login"
        assert error["data"]["prompt"]["arguments"]["required"] == ["username", "password"]
        assert error["data"]["prompt"]["arguments"]["properties"]["password"]["secret"] is True
        assert stack.owner["email"] not in answer.text and stack.owner["password"] not in answer.text

    def test_the_published_curl_gives_a_key_that_gets_the_company_list(self, http: httpx.Client, stack: Stack):
        answer = http.post("/mcp/auth/login", json=sign_in(stack, requestId=2))
        body = answer.json()
        assert answer.status_code == 200 and body["success"] is True
        assert body["loginResponse"]["id"] == 2
        result = body["loginResponse"]["result"]
        assert result["type"] == "auth_success" and result["apiKey"] == body["apiKey"]
        assert result["user"]["email"] == stack.owner["email"] and result["company"]["name"] == stack.owner["company"]
        assert answer.headers["Cache-Control"] == "no-store"
        found = json.loads(text_of(call(http, "tools/call", body["apiKey"], name="get_companies", arguments={})))
        (company,) = found["companies"]
        assert company["name"] == stack.owner["company"] and company["partyId"] == result["company"]["partyId"]
        assert company["currency"] == {"currencyId": "USD", "description": "US dollar"}
        assert result["user"]["userId"] in {employee["partyId"] for employee in company["employees"]}

    def test_a_sign_in_by_the_protocol_succeeds(self, http: httpx.Client, stack: Stack):
        answer = call(http, "auth/login", **sign_in(stack))
        assert answer.status_code == 200
        assert answer.json()["result"]["type"] == "auth_success"

    def test_the_prompt_can_be_asked_for_by_get_alone(self, http: httpx.Client):
        answer = http.get("/mcp/auth/prompt", params={"requestId": 5, "operation": "login", "reason": "Because"})
        response = answer.json()["promptResponse"]
        assert answer.status_code == 200 and response["id"] == 5
        assert response["error"]["data"]["type"] == "auth_prompt"
        assert response["error"]["data"]["reason"] == "Because"
        assert http.post("/mcp/auth/prompt").status_code == 405


class TestMcpAuth:
    """test_mcp_auth: GrowERP's own sign-in, then every endpoint with its key."""

    def test_growerps_login_prints_the_key_as_its_scripts_search_it(self, http: httpx.Client, stack: Stack):
        answer = http.post("/growerp/100/Login", json=sign_in(stack))
        found = re.search(r'"apiKey" : "([^"]+)"', answer.text)
        assert answer.status_code == 200 and found
        assert answer.json()["authenticate"]["apiKey"] == found[1]

    def test_every_endpoint_answers_with_the_key(self, http: httpx.Client, stack: Stack):
        headers = {"api_key": stack.key}
        for name in ("tools", "resources", "prompts"):
            answer = http.get(f"/mcp/{name}", headers=headers)
            assert answer.status_code == 200 and answer.json()[name], name
        assert http.get("/mcp/health", headers=headers).status_code == 200
        assert {tool["name"] for tool in call(http, "tools/list", stack.key).json()["result"]["tools"]} == TOOLS
        answer = http.get("/growerp/100/Authenticate", params={"classificationId": "AppSupport"}, headers=headers)
        assert answer.status_code == 200
        assert answer.json()["authenticate"]["user"]["email"] == stack.owner["email"]
        assert stack.key not in answer.text

    @pytest.mark.parametrize("path", ["/mcp/auth/userinfo", "/growerp/100/Authenticate"])
    def test_who_the_key_is_needs_a_key(self, http: httpx.Client, path: str):
        answer = http.get(path)
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer ")


class TestInitializationAuth:
    """test_mcp_initialization_auth: discovery needs no key, work does."""

    @pytest.mark.parametrize("method", ["initialize", "tools/list", "prompts/list", "resources/list", "ping"])
    def test_discovery_needs_no_key(self, http: httpx.Client, method: str):
        answer = call(http, method)
        assert answer.status_code == 200 and "result" in answer.json()

    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("tools/call", {"name": "ping_system"}),
            ("resources/read", {"uri": "latchkey://docs/tools"}),
            ("prompts/get", {"name": "company-overview"}),
            ("no/such", {}),
        ],
    )
    def test_all_else_does(self, http: httpx.Client, method: str, params: dict[str, Any]):
        assert call(http, method, **params).status_code == 401

    @pytest.mark.parametrize(
        ("username", "password", "named"),
        [("", "", "username"), ("a@example.com", "", "password"), ("", "x", "username")],
    )
    def test_an_empty_sign_in_is_400_and_names_the_field(
        self, http: httpx.Client, username: str, password: str, named: str
    ):
        by_protocol = call(http, "auth/login", username=username, password=password)
        by_path = http.post("/mcp/auth/login", json={"username": username, "password": password})
        assert (by_protocol.status_code, by_path.status_code) == (400, 400)
        assert f"The {named} is missing" in by_protocol.json()["error"]["message"]
        assert f"The {named} is missing" in by_path.text

    def test_a_wrong_password_and_an_unknown_person_get_the_same_answer(self, http: httpx.Client, stack: Stack):
        answers = [
            http.post("/mcp/auth/login", json={"username": name, "password": "not the password"})
            for name in (stack.demo["users"][1]["email"], "nobody@example.com")
        ]
        assert [answer.status_code for answer in answers] == [401, 401]
        assert answers[0].json() == answers[1].json()
        error = answers[0].json()["loginResponse"]["error"]
        assert error["code"] == -32003 and error["data"]["type"] == "auth_failed" and error["data"]["retry"] is True
        assert "apiKey" not in answers[0].text

    def test_the_catalogue_is_public(self, http: httpx.Client):
        assert http.get("/mcp/resources").status_code == 200


class TestOauthComplete:
    """test_oauth_complete: discovery, password grant, userinfo, ping."""

    def test_the_password_grant_gives_a_bearer_token(self, http: httpx.Client, stack: Stack):
        endpoint = http.get("/mcp/auth/discovery").json()["discoveryConfig"]["token_endpoint"]
        owner = stack.owner
        form = {"username": owner["email"], "password": owner["password"]}
        for given in (
            {"data": {"grant_type": "password", "client_id": "script", **form}},
            {"json": {"grantType": "password", "clientId": "script", **form}},
        ):
            answer = http.post(endpoint, **given)
            assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
            token = answer.json()
            assert token["token_type"] == "Bearer" and token["scope"] == "tools:*"
            assert 6 * 86400 < token["expires_in"] <= 7 * 86400
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert http.post("/mcp/protocol", json=message, headers=bearer).json()["result"]["tools"]
        who = http.get("/mcp/auth/userinfo", headers=bearer).json()
        assert who["user_id"] == who["sub"] == who["user_party_id"] and who["authenticated"] is True
        assert who["owner_party_id"] == who["company_party_id"] != who["user_id"]
        assert call(http, "tools/list", token["access_token"]).json()["result"]["tools"]

    def test_the_system_answers_a_ping_compactly(self, http: httpx.Client, stack: Stack):
        assert '"status":"healthy"' in text_of(call(http, "tools/call", stack.key, name="ping_system"))

    def test_a_new_sign_in_of_the_same_client_replaces_the_key(self, http: httpx.Client, stack: Stack):
        keys = [http.post("/mcp/auth/login", json=sign_in(stack)).json()["apiKey"] for _ in range(2)]
        eventually(lambda: call(http, "tools/list", keys[0]).status_code == 401)
        assert call(http, "tools/list", keys[1]).status_code == 200

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({}, "invalid_request"),
            ({"grant_type": "password"}, "invalid_request"),
            ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
            ({"grant_type": "password", "username": "nobody@example.com", "password": "wrong"}, "invalid_grant"),
        ],
    )
    def test_a_refused_grant_is_400_with_its_code(self, http: httpx.Client, form: dict[str, str], error: str):
        answer = http.post("/mcp/auth/token", data=form)
        assert (answer.status_code, answer.json()["error"]) == (400, error)


class TestMcpServer:
    """test_mcp_server: the server says what it is."""

    def test_the_server_introduces_itself(self, http: httpx.Client):
        health = http.get("/mcp/health").json()
        assert health["status"] == "healthy" and health["portal"] == "reachable"
        assert abs(health["timestamp"] / 1000 - time.time()) < 60
        info = call(http, "initialize", protocolVersion="2025-06-18").json()["result"]
        assert info["serverInfo"]["name"] == "growerp-system" and info["protocolVersion"] == "2025-06-18"

    def test_a_message_may_come_wrapped(self, http: httpx.Client):
        answer = http.post("/mcp/protocol", json={"request": {"jsonrpc": "2.0", "id": "w", "method": "ping"}})
        assert answer.json() == {"jsonrpc": "2.0", "id": "w", "result": {}}


class TestRevocation:
    """What the old flow had not: a key can be ended."""

    def test_a_revoked_key_is_refused_within_a_second(self, http: httpx.Client, stack: Stack):
        key = stack.fresh_key()
        started = time.time()
        assert call(http, "tools/call", key, name="whoami").status_code == 200
        revoking = stack.start_python(
            "import time\n"
            "from keys.models import Key; from keys.services import revoke_key\n"
            "from portal.audit.actors import SYSTEM\n"
            f"revoke_key(key=Key.objects.get(pk={key.split('_')[2]!r}), reason='test', actor=SYSTEM)\n"
            "print(time.time())"
        )
        asked = started
        while call(http, "tools/call", key, name="whoami").status_code == 200:
            asked = time.time()  # when the last accepted call had been answered
            assert asked - started < 60
        printed, errors = revoking.communicate(timeout=60)
        assert revoking.returncode == 0, errors
        assert asked - float(printed) < 1
        answer = call(http, "tools/list", key)
        assert answer.status_code == 401 and 'error="invalid_token"' in answer.headers["WWW-Authenticate"]

    def test_nothing_is_answered_while_the_portal_is_away(self, http: httpx.Client, stack: Stack):
        key = stack.fresh_key()
        stack.stop("web")
        try:
            answer = call(http, "tools/call", key, name="whoami")
            assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
            assert answer.json()["error"]["code"] == -32000
            eventually(lambda: http.get("/mcp/health").json()["portal"] == "unreachable", seconds=6)
            assert call(http, "tools/list").status_code == 200  # the catalogue needs no portal
        finally:
            stack.start_portal()
        eventually(lambda: call(http, "tools/call", key, name="whoami").status_code == 200, seconds=15)


def test_no_log_holds_a_secret(http: httpx.Client, stack: Stack):
    call(http, "tools/call", stack.key, name="whoami")
    http.get("/mcp/tools", params={"api_key": stack.key})
    for name in ("web", "mcp"):
        log = stack.log(name)
        assert not re.search(r"lk_[a-z]+_[0-9A-Za-z]{12}_[0-9A-Za-z]", log), name
        assert stack.owner["password"] not in log
    assert f"key={stack.key.split('_')[2]}" in stack.log("mcp")


def test_the_mcp_server_ends_cleanly(stack: Stack):
    try:
        assert stack.stop("mcp") == 0
    finally:
        stack.start_mcp()


def eventually(holds: Any, seconds: float = 2.0) -> None:
    """Wait until `holds()`, at most `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.05)
