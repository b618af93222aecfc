"""Real MCP clients against the real processes: the SDK's own always; those of npm where Node 22 and they are there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from keys.snippets import Connection
from keys.snippets import gemini as gemini_snippet
from tests.e2e.conftest import Stack, program

pytestmark = pytest.mark.processes

HEADERS = {
    "api_key": lambda key: {"api_key": key},
    "X-API-Key": lambda key: {"X-API-Key": key},
    "Authorization": lambda key: {"Authorization": f"Bearer {key}"},
}


def connect(address: str, headers: dict[str, str], **options: str) -> Client:
    return Client(
        streamable_http_client(address, http_client=httpx2.AsyncClient(headers=headers, timeout=20)), **options
    )


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("path", ["/mcp", "/rest/s1/mcp/protocol"])
async def test_the_sdks_client_gets_the_company_list(stack: Stack, path: str, header: str, mode: str):
    async with connect(stack.mcp + path, HEADERS[header](stack.key), mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["get_companies"].output_schema and tools["get_companies"].annotations.read_only_hint
        result = await client.call_tool("get_companies", {"searchString": "demo"})
        assert not result.is_error
        (company,) = result.structured_content["companies"]
        assert company["name"] == stack.owner["company"]
        for resource in (await client.list_resources()).resources:
            assert (await client.read_resource(resource.uri)).contents[0].text
        for prompt in (await client.list_prompts()).prompts:
            assert (await client.get_prompt(prompt.name)).messages


async def test_wrong_arguments_can_be_read_and_corrected_by_the_model(stack: Stack):
    async with connect(f"{stack.mcp}/mcp", {"X-API-Key": stack.key}) as client:
        result = await client.call_tool("get_companies", {"limit": 1000, "start": "first"})
        assert result.is_error
        assert "limit" in result.content[0].text and "start" in result.content[0].text
        assert "first" not in result.content[0].text


async def test_an_unknown_tool_is_a_protocol_error(stack: Stack):
    async with connect(f"{stack.mcp}/mcp", {"X-API-Key": stack.key}) as client:
        with pytest.raises(MCPError, match="Unknown tool: get_products"):
            await client.call_tool("get_products", {})


def test_gemini_cli_connects_with_the_published_snippet(stack: Stack, node_tools: dict[str, str], tmp_path: Path):
    gemini = program("gemini", node_tools)
    folder = tmp_path / "work"
    folder.mkdir()
    settings = tmp_path / ".gemini"
    settings.mkdir()
    by_variable, by_file = gemini_snippet.snippet(Connection("growerp-system", stack.protocol, stack.key)).forms
    servers = json.loads(by_file.text)["mcpServers"]
    assert servers == {"growerp-system": {"httpUrl": stack.protocol, "headers": {"api_key": stack.key}}}
    servers["by-variable"] = json.loads(by_variable.text)["mcpServers"]["growerp-system"]
    servers["mistyped"] = {"httpUrl": stack.protocol, "headers": {"api_key": stack.key[:-1]}}
    servers["without-key"] = {"httpUrl": f"{stack.mcp}/mcp"}
    (settings / "settings.json").write_text(json.dumps({"mcpServers": servers}))
    (settings / "trustedFolders.json").write_text(json.dumps({str(folder): "TRUST_FOLDER"}))
    done = subprocess.run(
        [gemini, "mcp", "list"],
        cwd=folder,
        env=node_tools | {"HOME": str(tmp_path), "GROWERP_SYSTEM_KEY": stack.key},
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = {
        line.split(":")[0].split()[-1]: line for line in (done.stdout + done.stderr).splitlines() if "http" in line
    }
    assert "Connected" in lines["growerp-system"]
    assert "Connected" in lines["by-variable"]
    assert "Disconnected" in lines["mistyped"]
    assert "Disconnected" in lines["without-key"]


def inspect(stack: Stack, environment: dict[str, str], path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("mcp-inspector", environment), "--cli", stack.mcp + path, "--transport", "http", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("path", ["/mcp", "/rest/s1/mcp/protocol"])
@pytest.mark.parametrize("era", [(), ("--protocol-era", "modern")])
def test_the_inspector_calls_a_tool(stack: Stack, node_tools: dict[str, str], path: str, era: tuple[str, ...]):
    key = ("--header", f"api_key: {stack.key}")
    listed = inspect(stack, node_tools, path, *era, "--method", "tools/list", *key)
    assert listed.returncode == 0, listed.stderr
    assert "get_companies" in {tool["name"] for tool in json.loads(listed.stdout)["tools"]}
    called = inspect(stack, node_tools, path, *era, "--method", "tools/call", "--tool-name", "get_companies", *key)
    assert called.returncode == 0, called.stderr
    assert stack.owner["company"] in called.stdout


def test_the_inspector_sees_that_authorization_is_needed(stack: Stack, node_tools: dict[str, str]):
    done = inspect(stack, node_tools, "/mcp", "--method", "tools/list")
    assert done.returncode == 3
    assert "auth_required" in done.stdout + done.stderr
