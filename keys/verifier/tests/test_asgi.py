"""The ASGI middleware, through httpx's ASGI transport, with the verifier asking a portal over HTTP."""

from __future__ import annotations

import json

import httpx
import pytest
from fake_portal import new_token
from latchkey import current_verdict
from latchkey.asgi import KeyMiddleware

MCP = "https://tools.example/mcp"
METADATA = "https://tools.example/.well-known/oauth-protected-resource/mcp"


async def application(scope, receive, send):
    """Echoes the body and says who the middleware let in."""
    message = await receive()
    verdict = scope.get("latchkey")
    found = {
        "body": message.get("body", b"").decode("latin-1"),
        "key_id": verdict.key_id if verdict else None,
        "current": current_verdict().key_id if current_verdict() else None,
    }
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(found).encode()})


@pytest.fixture
def serve(averifier):
    def made(**options):
        options = {"resource": MCP, "authorization_servers": ["https://portal.example"], "scopes": ["tools:read"],
                   "paths": ["/mcp"], **options}  # fmt: skip
        app = KeyMiddleware(application, averifier, **options)
        transport = httpx.ASGITransport(app, client=("192.0.2.9", 1))
        return httpx.AsyncClient(transport=transport, base_url="https://tools.example")

    return made


def call(tool):
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS"])
async def test_without_a_key_every_method_is_challenged_before_anything_else(serve, method):
    async with serve() as client:
        answer = await client.request(method, "/mcp")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Bearer scope="tools:read", resource_metadata="{METADATA}"'
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("headers", [
    {"X-API-Key": "KEY"}, {"api_key": "KEY"}, {"Authorization": "Bearer KEY"}, {"Authorization": "bearer  KEY "},
    {"api_key": "null", "X-API-Key": "KEY"}, {"Authorization": "Bearer undefined", "X-API-Key": "KEY"},
    {"Authorization": "Basic abc", "X-API-Key": "KEY"},
    {"api_key": "KEY", "Authorization": "Bearer lk_wrong", "X-API-Key": "lk_wrong"},
    {"Authorization": "Bearer KEY", "X-API-Key": "lk_wrong"},
])  # fmt: skip
async def test_a_key_is_found_in_any_of_the_three_headers_in_their_order(portal, serve, headers):
    key = portal.make_key()
    async with serve() as client:
        answer = await client.get("/mcp", headers={name: text.replace("KEY", key) for name, text in headers.items()})
    assert answer.status_code == 200
    assert answer.json()["key_id"] == answer.json()["current"] == key[8:20]
    assert portal.asked[0][1]["client_ip"] == "192.0.2.9"


async def test_the_current_verdict_ends_with_the_request(portal, serve):
    async with serve() as client:
        await client.get("/mcp", headers={"X-API-Key": portal.make_key()})
    assert current_verdict() is None


async def test_a_bad_key_is_an_invalid_token(portal, serve):
    revoked = portal.make_key()
    portal.revoke(revoked)
    async with serve() as client:
        for key in (revoked, new_token(), "lk_test_typo"):
            answer = await client.post("/mcp", headers={"X-API-Key": key}, json=call("ping"))
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token", error_description="')
            assert 'scope="tools:read"' in answer.headers["WWW-Authenticate"]
            assert answer.json()["error"] == "invalid_token"
            assert key not in answer.text


async def test_a_tool_beyond_the_scopes_is_403_with_the_scope_to_ask_for(portal, serve):
    headers = {"X-API-Key": portal.make_key(scopes=["tool:ping"])}
    async with serve() as client:
        assert (await client.post("/mcp", headers=headers, json=call("ping"))).status_code == 200
        answer = await client.post("/mcp", headers=headers, json=call("drop"))
    assert answer.status_code == 403
    challenge = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="tool:drop"' in challenge
    assert f'resource_metadata="{METADATA}"' in challenge


async def test_each_call_of_a_batch_is_checked(portal, serve):
    headers = {"X-API-Key": portal.make_key(scopes=["tool:ping"], remaining=10)}
    async with serve() as client:
        assert (await client.post("/mcp", headers=headers, json=[call("ping")] * 3)).status_code == 200
        assert portal.count("/api/v1/keys/verify") == 3
        assert (await client.post("/mcp", headers=headers, json=[call("ping"), call("drop")])).status_code == 403
        assert (await client.post("/mcp", headers=headers, json=[call("ping")] * 51)).status_code == 400


async def test_the_body_reaches_the_application_unchanged(portal, serve):
    body = b'{"jsonrpc": "2.0",  "id": 7, "method": "tools/list"}'
    async with serve() as client:
        answer = await client.post("/mcp", headers={"X-API-Key": portal.make_key()}, content=body)
    assert answer.json()["body"] == body.decode()


@pytest.mark.parametrize("body", [
    b'{"method": "tools/list", "method": "tools/call", "params": {"name": "drop"}}',
    b'{"method": "tools/call", "params": {"name": "ping", "name": "drop"}}',
    '{"method": "tools/call", "params": {"name": "drop"}}'.encode("utf-16"),
    b'\xef\xbb\xbf{"method": "tools/call", "params": {"name": "drop"}}',
    b"[" * 100_000, b"{", b'{"method": "tools/call"}', b'{"method": "tools/call", "params": {"name": 5}}',
    b'{"method": "tools/call", "params": ["drop"]}',
])  # fmt: skip
async def test_what_two_readers_could_read_differently_is_not_passed_on(portal, serve, body):
    headers = {"X-API-Key": portal.make_key(scopes=["tool:ping"]), "Content-Type": "application/json"}
    async with serve() as client:
        answer = await client.post("/mcp", headers=headers, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {-32700, -32600}


async def test_a_body_that_is_no_json_by_its_type_is_the_applications_affair(portal, serve):
    async with serve() as client:
        answer = await client.post("/mcp", headers={"X-API-Key": portal.make_key()}, data={"a": "b"})
    assert answer.json()["body"] == "a=b"


async def test_a_large_body_is_413_told_or_streamed(portal, serve):
    async def stream():
        for _ in range(20):
            yield b" " * 10

    headers = {"X-API-Key": portal.make_key()}
    async with serve(max_body=100) as client:
        assert (await client.post("/mcp", headers=headers, content=b" " * 101)).status_code == 413
        assert (await client.post("/mcp", headers=headers, content=stream())).status_code == 413


async def test_a_key_in_the_url_is_refused_even_if_a_good_one_is_in_the_header(portal, serve):
    key = portal.make_key()
    encoded = key.replace("_", "%5F")
    async with serve() as client:
        for target in (f"/mcp?api_key={key}", f"/mcp/{key}", f"/mcp?x=%20{encoded}"):
            answer = await client.get(target, headers={"X-API-Key": key})
            assert answer.status_code == 400
            assert key not in answer.text
    assert portal.asked == []


async def test_limit_and_outage_say_when_to_come_again(portal, serve):
    async with serve() as client:
        answer = await client.get("/mcp", headers={"X-API-Key": portal.make_key(remaining=0)})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        portal.broken["/api/v1/keys/verify"] = (503, {"Retry-After": "4"}, None)
        answer = await client.get("/mcp", headers={"X-API-Key": portal.make_key()})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "4")
        assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("code", ["COMPANY_INACTIVE", "IP_DENIED"])
async def test_where_no_other_token_would_help_none_is_asked_for(portal, serve, code):
    portal.broken["/api/v1/keys/verify"] = (200, {}, {"valid": False, "code": code, "message": "No."})
    async with serve() as client:
        answer = await client.get("/mcp", headers={"X-API-Key": portal.make_key()})
    assert answer.status_code == 403
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"])
async def test_the_metadata_are_served_to_anyone(serve, path):
    async with serve(paths=["/"]) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.json() == {
        "resource": MCP, "authorization_servers": ["https://portal.example"], "bearer_methods_supported": ["header"],
        "scopes_supported": ["tools:read"],
    }  # fmt: skip


async def test_without_authorization_servers_nothing_points_to_any(serve):
    async with serve(authorization_servers=(), scopes=()) as client:
        assert (await client.get("/mcp")).headers["WWW-Authenticate"] == 'Bearer realm="latchkey"'
        assert (await client.get("/.well-known/oauth-protected-resource")).json()["key_id"] is None


async def test_what_is_public_needs_no_key_but_a_bad_one_is_told(portal, serve):
    async with serve(public_methods={"tools/list", "ping"}, public_paths={"/mcp/health"}) as client:
        assert (await client.get("/mcp/health")).status_code == 200
        assert (await client.get("/elsewhere")).status_code == 200
        assert (await client.get("/mcp/other")).status_code == 401
        assert (await client.get("/mcpx")).status_code == 200
        listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert (await client.post("/mcp", json=listing)).status_code == 200
        assert (await client.post("/mcp", json=[listing, call("x")])).status_code == 401
        assert (await client.post("/mcp", json=[])).status_code == 401
        assert (await client.post("/mcp", json=listing, headers={"X-API-Key": new_token()})).status_code == 401


async def test_the_refusals_body_can_be_the_servers_own(serve):
    def refuse(verdict, message):
        return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32002, "message": verdict.code}}

    async with serve(refuse=refuse) as client:
        answer = await client.post("/mcp", json=call("x"))
    assert answer.status_code == 401
    assert answer.json()["error"] == {"code": -32002, "message": "MISSING"}


async def test_a_browsers_question_about_cors_passes(serve):
    async with serve() as client:
        headers = {"Origin": "https://x.example", "Access-Control-Request-Method": "POST"}
        assert (await client.options("/mcp", headers=headers)).status_code == 200


async def test_a_websocket_without_a_key_is_closed(averifier):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "client": None}
    await KeyMiddleware(application, averifier)(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_the_end_of_the_server_closes_the_verifier(averifier):
    async def lifespan(scope, receive, send):
        await send({"type": "lifespan.shutdown.complete"})

    async def nothing(*_message):
        return {}

    await KeyMiddleware(lifespan, averifier)({"type": "lifespan"}, nothing, nothing)
    with pytest.raises(RuntimeError, match="closed"):
        await averifier.verify(new_token())
