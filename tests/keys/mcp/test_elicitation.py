from __future__ import annotations

from typing import Any

import httpx
import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.keys.mcp.conftest import Portal
from tests.keys.mcp.test_access import MCP, PROTOCOL, call, refused

META = "io.modelcontextprotocol/"


def can_open(**elicitation: Any) -> dict[str, Any]:
    return {
        META + "protocolVersion": "2026-07-28",
        META + "clientCapabilities": {"elicitation": elicitation},
        META + "clientInfo": {"name": "t", "version": "1"},
    }


@pytest.fixture
def narrow(portal: Portal) -> str:
    """A key that lacks the scope of the tool."""
    return portal.key(**refused("INSUFFICIENT_SCOPE", "Too little.", required_scope="tools:read"))


def test_a_client_that_opens_pages_is_offered_the_one_that_grants(http: httpx.Client, portal: Portal, narrow: str):
    answer = call(http, MCP, "tools/call", {"X-API-Key": narrow}, name="get_users", _meta=can_open(url={}))
    assert answer.status_code == 200
    result = answer.json()["result"]
    assert result["resultType"] == "input_required"
    (asked,) = result["inputRequests"].values()
    assert asked["method"] == "elicitation/create" and asked["params"]["mode"] == "url"
    assert asked["params"]["url"] == f"{portal.url}/oauth/grant/{narrow.split('_')[2]}?tool=get_users"
    assert narrow not in answer.text


@pytest.mark.parametrize(
    ("meta", "path"),
    [(None, MCP), (can_open(), MCP), (can_open(form={}), MCP), (can_open(url={}), PROTOCOL), ({"x": 1}, MCP),
     (can_open(url={}) | {META + "protocolVersion": "2025-11-25"}, MCP)],
)  # fmt: skip
def test_any_other_client_gets_the_scope_to_ask_for(http: httpx.Client, narrow: str, meta: Any, path: str):
    params = {"name": "get_users"} | ({"_meta": meta} if meta else {})
    answer = call(http, path, "tools/call", {"X-API-Key": narrow}, **params)
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_a_client_that_signed_in_steps_up_by_consent(http: httpx.Client, portal: Portal):
    from keys.tokens import Kind, generate

    token = generate(Kind.ACCESS).text
    portal.verdicts[token] = refused("INSUFFICIENT_SCOPE", required_scope="tools:*") | {"request_id": "r"}
    answer = call(http, MCP, "tools/call", {"Authorization": f"Bearer {token}"}, name="get_users",
                  _meta=can_open(url={}))  # fmt: skip
    assert answer.status_code == 403


def test_other_refusals_offer_nothing(http: httpx.Client, portal: Portal):
    for code, status in (("REVOKED", 401), ("COMPANY_INACTIVE", 403), ("IP_DENIED", 403)):
        key = portal.key(**refused(code))
        answer = call(http, MCP, "tools/call", {"X-API-Key": key}, name="get_users", _meta=can_open(url={}))
        assert answer.status_code == status


def client(http: httpx.Client, key: str, on_page: Any) -> Client:
    session = httpx2.AsyncClient(headers={"X-API-Key": key}, timeout=20)
    address = str(http.base_url).rstrip("/") + "/mcp"
    return Client(streamable_http_client(address, http_client=session), elicitation_callback=on_page)


async def test_the_sdks_client_opens_the_page_and_calls_again(http: httpx.Client, portal: Portal):
    key = portal.key()
    good = portal.verdicts[key]
    opened: list[str] = []

    async def on_page(_context: Any, params: Any) -> types.ElicitResult:
        opened.append(params.url)
        portal.verdicts[key] = good  # the person has let the key use it
        return types.ElicitResult(action="accept")

    async with client(http, key, on_page) as session:
        portal.verdicts[key] = refused("INSUFFICIENT_SCOPE", required_scope="tools:read") | {"request_id": "r"}
        result = await session.call_tool("get_entity_info", {})
    assert opened == [f"{portal.url}/oauth/grant/{key.split('_')[2]}?tool=get_entity_info"]
    assert result.content[0].text == "There is no such thing here."  # it reached the portal's data


@pytest.mark.parametrize(("action", "said"), [("accept", "call it again"), ("decline", "did not open")])
async def test_what_is_not_granted_fails_in_words_and_not_in_a_circle(
    http: httpx.Client, portal: Portal, action: Any, said: str
):
    key = portal.key()
    opened = 0

    async def on_page(_context: Any, _params: Any) -> types.ElicitResult:
        nonlocal opened
        opened += 1
        return types.ElicitResult(action=action)

    async with client(http, key, on_page) as session:
        portal.verdicts[key] = refused("INSUFFICIENT_SCOPE", required_scope="tools:read") | {"request_id": "r"}
        result = await session.call_tool("get_entity_info", {})
    assert result.is_error and said in result.content[0].text and opened == 1
