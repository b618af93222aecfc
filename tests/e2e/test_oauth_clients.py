"""Real MCP clients that are given an address and nothing else: they sign a person in and use what they got."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import fastmcp
import httpx
import httpx2
import pytest
from fastmcp.client.auth import OAuth
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

from tests.e2e.conftest import Stack
from tests.e2e.person import Form, Person

pytestmark = pytest.mark.processes


class Storage:
    """The SDK's storage, in memory."""

    tokens: Any = None
    client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


class Sdk:
    """The official SDK's OAuth client."""

    def __init__(self, person: Person, address: str, **metadata: Any) -> None:
        self.person, self.address, self.storage = person, address, Storage()
        self.answer = ""
        self.asked: list[str] = []
        self.provider = OAuthClientProvider(
            address,
            OAuthClientMetadata(redirect_uris=["http://localhost:8765/callback"], client_name="SDK client", **metadata),
            self.storage,
            self._redirect,
            self._callback,
        )

    async def _redirect(self, address: str) -> None:
        self.asked.append(address)
        self.answer = await asyncio.to_thread(self.person.says_yes, address)

    async def _callback(self) -> AuthorizationCodeResult:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.answer).query).items()}
        return AuthorizationCodeResult(code=query["code"], state=query["state"], iss=query["iss"])

    def client(self) -> Client:
        http = httpx2.AsyncClient(auth=self.provider, timeout=30)
        return Client(streamable_http_client(self.address, http_client=http))


@pytest.mark.parametrize("method", ["none", "client_secret_post", "client_secret_basic"])
async def test_the_sdks_client_signs_in_by_itself(stack: Stack, method: str):
    sdk = Sdk(Person(stack), f"{stack.mcp}/mcp", token_endpoint_auth_method=method)
    async with sdk.client() as client:
        assert {tool.name for tool in (await client.list_tools()).tools} >= {"get_companies", "whoami"}
        result = await client.call_tool("get_companies", {})
        assert result.structured_content["companies"][0]["name"] == stack.owner["company"]
        who = (await client.call_tool("whoami", {})).structured_content
        assert "SDK client" in str(who)
    assert sdk.storage.tokens.access_token.startswith("lk_oat_")
    assert "SDK client" in sdk.person.pages[0]


async def test_the_sdks_client_refreshes_by_itself(stack: Stack):
    sdk = Sdk(Person(stack), f"{stack.mcp}/mcp", token_endpoint_auth_method="none")
    async with sdk.client() as client:
        await client.list_tools()
        first = sdk.storage.tokens
        sdk.provider.context.token_expiry_time = 1.0
        await client.call_tool("ping_system", {})
    assert sdk.storage.tokens.access_token != first.access_token
    assert len(sdk.asked) == 1
    said = httpx.post(
        f"{stack.portal}/api/v1/keys/verify",
        json={"key": first.access_token},
        headers={"Authorization": f"Bearer {stack.server_credential}"},
    ).json()
    assert said["code"] == "NOT_FOUND"


async def test_a_revoked_connection_is_refused_within_a_second(stack: Stack):
    person = Person(stack)
    sdk = Sdk(person, f"{stack.mcp}/mcp", token_endpoint_auth_method="none")
    async with sdk.client() as client:
        await client.call_tool("ping_system", {})
    token = sdk.storage.tokens.access_token

    def call() -> int:
        return httpx.post(
            f"{stack.mcp}/rest/s1/mcp/protocol",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ping_system"}},
            headers={"Authorization": f"Bearer {token}"},
        ).status_code

    assert call() == 200
    home = person.browser.get(f"{stack.portal}/home/", follow_redirects=True)
    slug = str(home.url).split("/c/")[1].split("/")[0]
    listed = person.browser.get(f"{stack.portal}/c/{slug}/connections/")
    newest = re.search(rf'/c/{slug}/connections/([0-9A-Za-z]{{12}})/"', listed.text)
    assert newest
    page = person.browser.get(f"{stack.portal}/c/{slug}/connections/{newest[1]}/revoke/")
    data = dict(Form(page.text).fields)
    data = {"csrfmiddlewaretoken": data["csrfmiddlewaretoken"], "reason": "0"}
    done = person.browser.post(str(page.url), data=data, headers={"Referer": str(page.url)})
    assert done.status_code == 302
    await asyncio.sleep(1)  # the promise itself: within one second
    assert call() == 401


class PersonsOAuth(OAuth):
    """FastMCP's OAuth client, with somebody at the browser that it opens."""

    person: Person

    async def redirect_handler(self, authorization_url: str) -> None:
        async def answer() -> None:
            address = await asyncio.to_thread(self.person.says_yes, authorization_url)
            async with httpx.AsyncClient() as http:
                for _ in range(100):  # its callback server starts after this returns
                    try:
                        await http.get(address)
                        return
                    except httpx.ConnectError:
                        await asyncio.sleep(0.05)

        self.answering = asyncio.create_task(answer())


async def test_fastmcps_client_signs_in_by_itself(stack: Stack):
    auth = PersonsOAuth(client_name="FastMCP client")
    auth.person = Person(stack)
    async with fastmcp.Client(f"{stack.mcp}/mcp", auth=auth) as client:
        result = await client.call_tool("get_companies", {})
        assert stack.owner["company"] in str(result.structured_content)
