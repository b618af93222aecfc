"""The plugs for MCP servers, with real clients over HTTP: the `mcp` SDK's and FastMCP's own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import socket
from pathlib import Path

import httpx
import pytest

pytest.importorskip("mcp")

import httpx2
import uvicorn
from latchkey import AsyncVerifier, current_verdict
from latchkey.mcp import LatchkeyTokenVerifier, protect
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import MCPServer

EXAMPLE = Path(__file__).parents[3] / "examples/fastmcp_server/server.py"


@contextlib.asynccontextmanager
async def serving(make):
    """Serve `make(address)` on a free port with uvicorn; its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(make(address), log_level="error", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.005)
    yield address
    server.should_exit = True
    await task


@contextlib.asynccontextmanager
async def connected(address, headers):
    http = httpx2.AsyncClient(headers=headers)
    async with http, Client(streamable_http_client(address + "/mcp", http_client=http)) as client:
        yield client


def make_server():
    server = MCPServer("test")

    @server.tool()
    def who() -> str:
        return f"{current_verdict().company.slug} {get_access_token().client_id} {get_access_token().subject}"

    @server.tool()
    def drop() -> str:
        return "dropped"

    return server


@pytest.mark.parametrize("stateless", [True, False])
@pytest.mark.parametrize("header", ["X-API-Key", "api_key", "Authorization"])
async def test_the_sdks_client_calls_a_protected_server(portal, stateless, header):
    def make(address):
        app = make_server().streamable_http_app(stateless_http=stateless)
        return protect(app, AsyncVerifier(portal.url, portal.credential), resource=address + "/mcp")

    key = portal.make_key(scopes=["tool:who"])
    async with serving(make) as address:
        value = f"Bearer {key}" if header == "Authorization" else key
        async with connected(address, {header: value}) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == {"who", "drop"}
            answer = await client.call_tool("who", {})
            assert answer.content[0].text == f"acme {key[8:20]} u1"
            with pytest.raises(Exception):  # noqa: B017 (each revision of the SDK has its own)
                await client.call_tool("drop", {})
    assert ("/api/v1/keys/verify", "drop") in [(path, data.get("tool")) for path, data in portal.asked if "key" in data]


async def test_each_request_is_verified_once_though_the_sdk_asks_too(portal):
    def make(address):
        from mcp.server.auth.settings import AuthSettings

        verifier = AsyncVerifier(portal.url, portal.credential)
        settings = AuthSettings(
            issuer_url=portal.url, resource_server_url=address + "/mcp", validate_token_resource=True
        )
        tokens = LatchkeyTokenVerifier(verifier, resource=address + "/mcp")
        app = MCPServer("test", token_verifier=tokens, auth=settings).streamable_http_app(stateless_http=True)
        return protect(app, verifier, resource=address + "/mcp")

    async with serving(make) as address, httpx.AsyncClient() as client:
        key = portal.make_key()
        headers = {"Authorization": f"Bearer {key}", "Accept": "application/json, text/event-stream"}
        body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        answer = await client.post(address + "/mcp", json=body, headers=headers)
        assert answer.status_code == 200
    assert portal.count("/api/v1/keys/verify") == 1


async def test_the_token_verifier_alone_says_none_for_a_bad_key(portal, averifier):
    tokens = LatchkeyTokenVerifier(averifier, resource="https://tools.example/mcp")
    key = portal.make_key(expires_in=1000)
    found = await tokens.verify_token(key)
    assert found.client_id == key[8:20]
    assert found.resource == "https://tools.example/mcp"
    assert found.claims["company"]["slug"] == "acme"
    assert key not in repr(found.claims)
    portal.revoke(key)
    assert await tokens.verify_token(key) is None


async def test_a_session_stays_with_the_key_that_opened_it(portal):
    def make(address):
        app = make_server().streamable_http_app()
        return protect(app, AsyncVerifier(portal.url, portal.credential), resource=address + "/mcp")

    accept = {"Accept": "application/json, text/event-stream"}
    start = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }  # fmt: skip
    async with serving(make) as address, httpx.AsyncClient() as client:
        first, second = ({"X-API-Key": portal.make_key(), **accept} for _ in range(2))
        answer = await client.post(address + "/mcp", json=start, headers=first)
        session = {"Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        assert (await client.post(address + "/mcp", json=ping, headers={**first, **session})).status_code == 200
        assert (await client.post(address + "/mcp", json=ping, headers={**second, **session})).status_code == 404


async def test_the_fastmcp_provider_checks_keys_and_tools(portal):
    pytest.importorskip("fastmcp")
    from fastmcp import FastMCP
    from latchkey.fastmcp import LatchkeyAuth

    def make(address):
        verifier = AsyncVerifier(portal.url, portal.credential)
        auth = LatchkeyAuth(verifier, base_url=address, portal="https://portal.example", scopes=("tools:read",))
        server = FastMCP("test", auth=auth)

        @server.tool
        def who() -> str:
            return current_verdict().company.slug

        return server.http_app(path="/mcp", stateless_http=True)

    key = portal.make_key(scopes=["tool:who"])
    async with serving(make) as address:
        async with connected(address, {"X-API-Key": key}) as client:
            assert (await client.call_tool("who", {})).content[0].text == "acme"
        async with httpx.AsyncClient(base_url=address) as client:
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "drop"}}
            assert (await client.post("/mcp", json=call, headers={"X-API-Key": key})).status_code == 403
            answer = await client.head("/mcp")
            assert answer.status_code == 401
            metadata = answer.headers["WWW-Authenticate"].split('resource_metadata="')[1].split('"')[0]
            assert (await client.get(metadata)).json()["resource"] == address + "/mcp"


async def test_the_example_server_serves_two_companies(portal, monkeypatch):
    monkeypatch.setenv("LATCHKEY_URL", portal.url)
    monkeypatch.setenv("LATCHKEY_CREDENTIAL", portal.credential)
    monkeypatch.setenv("RESOURCE", "http://localhost:9000/mcp")
    spec = importlib.util.spec_from_file_location("example_server", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    reader = portal.make_key(scopes=["tool:get_stock"])
    async with serving(lambda address: example.app) as address:
        async with connected(address, {"X-API-Key": reader}) as client:
            assert (await client.call_tool("get_stock", {"article": "bolts"})).content[0].text == "Acme: 120 bolts"
        async with connected(address, {"X-API-Key": portal.make_key()}) as client:
            answer = await client.call_tool("take_stock", {"article": "bolts", "count": 20})
            assert answer.content[0].text == "20 bolts for Ann; 100 are left."
    assert len(EXAMPLE.read_text().splitlines()) <= 50
