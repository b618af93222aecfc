"""Who is let in, and how each refusal is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from keys.mcp.config import Config
from tests.keys.mcp.conftest import Portal, served

MCP, PROTOCOL = "/mcp", "/rest/s1/mcp/protocol"
VERIFY = "/api/v1/keys/verify"
ACCEPT = {"Accept": "application/json, text/event-stream"}


def call(http: httpx.Client, path: str, method: str, headers: dict[str, str] | None = None, **params: Any):
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return http.post(path, json=message, headers=ACCEPT | (headers or {}))


def refused(code: str, message: str = "No.", **facts: Any) -> dict[str, Any]:
    return {"valid": False, "code": code, "message": message, **facts}


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE", "PUT"])
@pytest.mark.parametrize("path", [MCP, "/mcp/"])
def test_every_method_of_mcp_needs_a_key_before_anything_else(
    http: httpx.Client, portal: Portal, method: str, path: str
):
    answer = http.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer scope="tools:read", resource_metadata="http://mcp.example.com/.well-known/oauth-protected-resource/mcp"'
    )
    assert portal.bodies(VERIFY) == []


@pytest.mark.parametrize("path", [MCP, PROTOCOL])
@pytest.mark.parametrize("blank", ["", "null", "undefined", "NULL"])
def test_a_blank_key_counts_as_none(http: httpx.Client, portal: Portal, path: str, blank: str):
    answer = call(http, path, "tools/call", {"api_key": blank, "X-API-Key": blank}, name="whoami")
    assert answer.status_code == 401 and "error=" not in answer.headers["WWW-Authenticate"]
    assert portal.bodies(VERIFY) == []


def test_the_key_is_looked_for_in_the_published_order(http: httpx.Client, portal: Portal):
    first, second, third = portal.key(), portal.key(), portal.key()
    for headers, expected in (
        ({"api_key": first, "Authorization": f"Bearer {second}", "X-API-Key": third}, first),
        ({"api_key": "null", "Authorization": f"bearer {second}", "X-API-Key": third}, second),
        ({"Authorization": "Basic abc", "X-API-Key": third}, third),
    ):
        assert call(http, PROTOCOL, "ping", headers).status_code == 200
        assert portal.bodies(VERIFY)[-1]["key"] == expected


@pytest.mark.parametrize("path", [MCP, PROTOCOL])
@pytest.mark.parametrize("method", ["initialize", "tools/list", "ping"])
def test_a_bad_key_is_refused_on_public_methods_too(http: httpx.Client, portal: Portal, path: str, method: str):
    key = portal.key(**refused("REVOKED", "This key was revoked."))
    answer = call(http, path, method, {"X-API-Key": key})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert answer.json()["error"]["code"] == -32002
    assert "This key was revoked." in answer.text and key not in answer.text


def test_a_bad_key_does_not_stand_in_the_way_of_signing_in(http: httpx.Client, portal: Portal):
    portal.answers["/api/v1/login"] = (200, {"key": "k", "user": USER, "company": COMPANY, "expires_at": None})
    key = portal.key(**refused("REVOKED"))
    answer = call(http, PROTOCOL, "auth/login", {"api_key": key}, username="a", password="b")
    assert answer.status_code == 200 and answer.json()["result"]["apiKey"] == "k"


@pytest.mark.parametrize("path", [MCP, PROTOCOL])
def test_a_key_without_the_scope_is_403_with_the_scope_to_ask_for(http: httpx.Client, portal: Portal, path: str):
    key = portal.key(**refused("INSUFFICIENT_SCOPE", "Too little.", required_scope="tool:get_users"))
    answer = call(http, path, "tools/call", {"X-API-Key": key}, name="get_users")
    challenge = answer.headers["WWW-Authenticate"]
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in challenge and 'scope="tool:get_users"' in challenge
    assert "resource_metadata=" in challenge
    assert answer.json()["error"]["code"] == -32001
    assert answer.json()["error"]["data"]["required_scope"] == "tool:get_users"


@pytest.mark.parametrize("code", ["COMPANY_INACTIVE", "IP_DENIED"])
def test_what_no_other_key_would_mend_is_403(http: httpx.Client, portal: Portal, code: str):
    answer = call(http, MCP, "tools/list", {"X-API-Key": portal.key(**refused(code))})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, -32001)


@pytest.mark.parametrize("path", [MCP, PROTOCOL])
def test_too_many_calls_are_429_with_the_time_to_wait(http: httpx.Client, portal: Portal, path: str):
    key = portal.key(**refused("RATE_LIMITED", "Slowly.", retry_after=17))
    answer = call(http, path, "tools/call", {"X-API-Key": key}, name="whoami")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "17")
    assert answer.json()["error"]["data"]["retry_after"] == 17


@pytest.mark.parametrize("path", [MCP, PROTOCOL])
def test_without_a_verdict_nothing_is_answered(http: httpx.Client, portal: Portal, path: str):
    portal.answers[VERIFY] = (500, {})
    answer = call(http, path, "tools/list", {"X-API-Key": portal.key()})
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


def test_the_portal_is_asked_for_the_tool_the_address_and_the_client(http: httpx.Client, portal: Portal):
    key = portal.key()
    meta = {"_meta": {"io.modelcontextprotocol/clientInfo": {"name": "Fine\nClient", "version": "1"}}}
    call(http, PROTOCOL, "tools/call", {"X-API-Key": key}, name="whoami", **meta)
    asked = portal.bodies(VERIFY)[-1]
    assert (asked["tool"], asked["client_ip"], asked["client"]) == ("whoami", "127.0.0.1", "FineClient")
    call(http, PROTOCOL, "initialize", {"X-API-Key": key}, clientInfo={"name": "x" * 200, "version": "1"})
    assert portal.bodies(VERIFY)[-1]["client"] == "x" * 80
    call(http, PROTOCOL, "ping", {"X-API-Key": key, "User-Agent": "curl/8.5.0"})
    assert portal.bodies(VERIFY)[-1]["client"] == "curl"
    call(http, PROTOCOL, "resources/read", {"X-API-Key": key}, uri="latchkey://company")
    assert portal.bodies(VERIFY)[-1]["tool"] == "whoami"


def test_what_was_checked_is_what_is_done(http: httpx.Client, portal: Portal):
    """A member that stands twice is read once: by whoever checks the scope and by whoever calls the tool alike."""
    portal.answers["/api/v1/data/whoami"] = portal.answers["/api/v1/data/users"] = (403, {"detail": "Asked."})
    twice = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","name":"get_users"}}'
    http.post(MCP, content=twice, headers={**ACCEPT, "Content-Type": "application/json", "X-API-Key": portal.key()})
    assert portal.bodies(VERIFY)[-1]["tool"] == "get_users"
    assert [path for path, _body, _headers in portal.asked if "/data/" in path] == ["/api/v1/data/users"]


def test_behind_trusted_proxies_the_address_is_the_one_that_they_saw(portal: Portal):
    from keys.mcp.guard import client_address

    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", b"6.6.6.6, 192.0.2.7, 10.0.0.2")]}
    assert client_address(scope, 0) == "10.0.0.1"
    assert client_address(scope, 1) == "10.0.0.2"
    assert client_address(scope, 2) == "192.0.2.7"
    assert client_address({"client": ("::ffff:192.0.2.9", 1), "headers": []}, 0) == "192.0.2.9"
    assert client_address({"client": None, "headers": []}, 0) is None


@pytest.mark.parametrize(
    "query", ["api_key=lk_test_abc", "access_token=x", "x=lk_live_abcdefghijkl_secret", "API_KEY=x", "a=1&apikey=x"]
)
def test_a_key_in_an_address_is_refused(http: httpx.Client, portal: Portal, query: str):
    answer = http.post(f"{MCP}?{query}", headers={"X-API-Key": portal.key()})
    assert answer.status_code == 400 and "header" in answer.json()["detail"]


@pytest.mark.parametrize("path", [MCP, PROTOCOL, "/health", "/rest/s1/mcp/auth/login"])
def test_a_page_of_another_origin_is_refused(http: httpx.Client, portal: Portal, path: str):
    answer = http.post(path, json={}, headers={"Origin": "http://evil.example", "X-API-Key": portal.key()})
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_portals_own_pages_may_ask(http: httpx.Client, portal: Portal):
    preflight = http.options(MCP, headers={"Origin": portal.url, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204 and preflight.headers["Access-Control-Allow-Origin"] == portal.url
    answer = http.post(MCP, headers={"Origin": portal.url})
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("mcp.example.com", 401),
        ("MCP.example.com", 401),
        ("other.example.com", 401),
        ("localhost:8080", 401),
        ("127.0.0.1", 401),
        ("[::1]:8080", 401),
        ("evil.example", 421),
        ("mcp.example.com.evil.example", 421),
        ("localhost.evil.example:8080", 421),
    ],
)
def test_a_rebound_host_name_is_refused(http: httpx.Client, host: str, status: int):
    assert http.post(MCP, headers={"Host": host}).status_code == status


def test_a_large_body_is_refused_whether_or_not_it_says_so(http: httpx.Client, portal: Portal):
    large = b" " * (1024 * 1024 + 1)
    headers = {"X-API-Key": portal.key()}
    assert http.post(PROTOCOL, content=large, headers=headers).status_code == 413
    assert http.post(PROTOCOL, content=iter([large]), headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"[" * 100_000, -32700),
        (b'{"id": NaN}', -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b'"ping"', -32600),
    ],
)
@pytest.mark.parametrize("path", [MCP, PROTOCOL])
def test_a_body_that_is_no_message_is_400(http: httpx.Client, portal: Portal, path: str, body: bytes, code: int):
    answer = http.post(path, content=body, headers={"X-API-Key": portal.key(), "Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


COMPANY = {"id": "c", "name": "C", "slug": "c"}
USER = {"id": "u", "name": "U", "email": "u@example.com"}


def test_the_portal_is_asked_under_the_id_of_the_request(
    http: httpx.Client, portal: Portal, caplog: pytest.LogCaptureFixture
):
    for given, taken in (("request-1234", True), ("bad id\t!", False), ("x" * 80, False)):
        answer = call(http, MCP, "tools/list", {"Authorization": f"Bearer {portal.key()}", "X-Request-Id": given})
        named = answer.headers["X-Request-Id"]
        assert (named == given) is taken
        asked = [headers for path, _body, headers in portal.asked if path == VERIFY]
        assert asked[-1]["X-Request-Id"] == named


def test_metrics_are_for_who_knows_the_token(portal: Portal, config: Config):
    with served(replace(config, metrics_token="a-token-for-metrics")) as http:
        key = portal.key(cache_seconds=30)
        for _ in range(2):
            call(http, MCP, "tools/list", {"Authorization": f"Bearer {key}"})
        call(http, MCP, "tools/list")
        assert http.get("/metrics").status_code == 404
        assert http.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
        text = http.get("/metrics", headers={"Authorization": "Bearer a-token-for-metrics"}).text
    assert 'latchkey_mcp_request_seconds_count{status="200"} 2.0' in text
    assert 'latchkey_mcp_request_seconds_count{status="401"} 1.0' in text
    assert 'latchkey_mcp_questions_total{by="portal"}' in text
    assert "lk_" not in text


def test_without_a_token_there_are_no_metrics(http: httpx.Client):
    assert http.get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 404
