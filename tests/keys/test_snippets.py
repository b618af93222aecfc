"""Snippets: each is valid in its own language, points at the server, and keeps the key where it says it does."""

from __future__ import annotations

import base64
import json
import shlex
import tomllib
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from keys.snippets import CLIENTS, PLACEHOLDER, Connection, snippets, variable

KEY = "lk_test_0123456789AB_abcdefghijklmnopqrstuvwxyzABCDEF012345"
TO = Connection("growerp-system", "http://localhost:8080/rest/s1/mcp/protocol", KEY)
ALL = {found.client: found for found in snippets(TO)}
FORMS = [(found, form) for found in ALL.values() for form in found.forms]


def parsed(form):
    match form.language:
        case "json":
            return json.loads(form.text)
        case "toml":
            return tomllib.loads(form.text)
        case "yaml":
            return yaml.safe_load(form.text)
        case "shell":
            return shlex.split(form.text)


def form(client, kind):
    return next(form for form in ALL[client].forms if form.kind == kind)


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in [*value.keys(), *value.values()]:
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def test_the_published_settings_are_there_letter_for_letter():
    assert snippets(TO)[0].client == "gemini"
    published = form("gemini", "inline")
    assert json.loads(published.text) == {
        "mcpServers": {
            "growerp-system": {
                "httpUrl": "http://localhost:8080/rest/s1/mcp/protocol",
                "headers": {"api_key": KEY},
            }
        }
    }
    assert list(json.loads(published.text)["mcpServers"]["growerp-system"]) == ["httpUrl", "headers"]


@pytest.mark.parametrize(("found", "form"), FORMS, ids=lambda part: getattr(part, "client", getattr(part, "kind", "")))
def test_every_form_parses_in_its_language_and_names_the_address(found, form):
    assert any(TO.url in text for text in strings(parsed(form)))


@pytest.mark.parametrize(("found", "form"), FORMS, ids=lambda part: getattr(part, "client", getattr(part, "kind", "")))
def test_only_inline_forms_hold_the_key(found, form):
    assert (KEY in form.text) == form.holds_key == (form.kind == "inline")


@pytest.mark.parametrize("found", ALL.values(), ids=lambda found: found.client)
def test_links_and_commands_never_hold_the_key(found):
    for text in [found.command, *(link.address for link in found.links)]:
        decoded = unquote(text)
        for values in parse_qs(urlsplit(text).query).values():
            for value in values:
                try:
                    decoded += base64.b64decode(value, validate=True).decode()
                except ValueError:
                    continue
        assert KEY not in decoded
        assert KEY.rsplit("_", 1)[1] not in decoded


@pytest.mark.parametrize("found", ALL.values(), ids=lambda found: found.client)
def test_the_form_without_the_secret_is_offered_first_where_there_is_one(found):
    kinds = [form.kind for form in found.forms]
    assert kinds in (["environment", "inline"], ["prompt", "inline"], ["inline"])


@pytest.mark.parametrize("found", ALL.values(), ids=lambda found: found.client)
def test_each_says_what_to_do_next(found):
    assert found.name
    assert found.next_step.endswith(".")
    assert found.places or found.client == "curl"


@pytest.mark.parametrize(
    ("client", "reference"),
    [
        ("gemini", "$GROWERP_SYSTEM_KEY"),
        ("claude-code", "${GROWERP_SYSTEM_KEY}"),
        ("cursor", "${env:GROWERP_SYSTEM_KEY}"),
        ("windsurf", "${env:GROWERP_SYSTEM_KEY}"),
        ("cline", "${env:GROWERP_SYSTEM_KEY}"),
        ("opencode", "{env:GROWERP_SYSTEM_KEY}"),
        ("continue", "${{ secrets.GROWERP_SYSTEM_KEY }}"),
        ("goose", "${GROWERP_SYSTEM_KEY}"),
    ],
)
def test_the_variable_is_written_as_the_client_reads_it(client, reference):
    assert reference in set(strings(parsed(form(client, "environment"))))


def test_codex_names_the_variable_beside_its_header():
    server = parsed(form("codex", "environment"))["mcp_servers"]["growerp-system"]
    assert server == {"url": TO.url, "env_http_headers": {"X-API-Key": "GROWERP_SYSTEM_KEY"}}


def test_vs_code_asks_for_the_key_and_its_link_carries_the_same_question():
    settings = parsed(form("vscode", "prompt"))
    assert settings["inputs"][0]["password"] is True
    reference = f"${{input:{settings['inputs'][0]['id']}}}"
    assert settings["servers"]["growerp-system"]["headers"] == {"X-API-Key": reference}
    link = ALL["vscode"].links[0].address
    assert link.startswith("vscode:mcp/install?")
    carried = json.loads(unquote(link.partition("?")[2]))
    assert carried == {"name": "growerp-system", **settings["servers"]["growerp-system"], "inputs": settings["inputs"]}
    assert json.loads(shlex.split(ALL["vscode"].command)[-1]) == carried


@pytest.mark.parametrize(("client", "scheme"), [("cursor", "cursor"), ("lm-studio", "lmstudio")])
def test_install_links_carry_the_inner_object_in_base64(client, scheme):
    parts = urlsplit(ALL[client].links[0].address)
    query = parse_qs(parts.query)
    assert parts.scheme == scheme
    assert query["name"] == ["growerp-system"]
    assert json.loads(base64.b64decode(query["config"][0]))["url"] == TO.url


def test_the_bridge_reads_the_key_from_its_own_environment():
    server = parsed(form("claude-desktop", "inline"))["mcpServers"]["growerp-system"]
    assert server["env"] == {"GROWERP_SYSTEM_KEY": KEY}
    assert server["args"][-1] == "X-API-Key:${GROWERP_SYSTEM_KEY}"


def test_the_bridge_is_told_when_the_address_is_plain_http_on_another_machine():
    elsewhere = {found.client: found for found in snippets(Connection("erp", "http://erp.example/mcp"))}
    assert "--allow-http" in elsewhere["mcp-remote"].forms[0].text
    assert "--allow-http" not in ALL["mcp-remote"].forms[0].text


def test_without_a_key_every_inline_form_holds_the_placeholder():
    for found in snippets(Connection("erp", "https://erp.example/mcp")):
        for each in found.forms:
            assert (PLACEHOLDER in each.text) == each.holds_key


@pytest.mark.parametrize(
    ("name", "expected"),
    [("growerp-system", "GROWERP_SYSTEM_KEY"), ("7zip", "MCP_7ZIP_KEY"), ("a_b--c", "A_B_C_KEY")],
)
def test_variables_are_good_names_in_every_shell(name, expected):
    assert Connection(name, "https://erp.example/mcp").variable == expected


def test_the_variable_is_set_with_the_key_for_both_kinds_of_shell():
    lines = variable(TO)
    assert shlex.split(lines.posix) == ["export", f"GROWERP_SYSTEM_KEY={KEY}"]
    assert f'"GROWERP_SYSTEM_KEY", "{KEY}"' in lines.powershell


# The `mcpServers` notation is read by FastMCP's own model of it, which the clients' formats come from.
FASTMCP = ["gemini", "claude-code", "cursor", "lm-studio", "copilot-cli", "claude-desktop", "jetbrains", "mcp-remote"]


@pytest.mark.parametrize("client", FASTMCP)
def test_fastmcps_reader_of_client_settings_finds_the_server(client):
    config = pytest.importorskip("fastmcp.mcp_config", reason="the package fastmcp is not installed")
    for each in ALL[client].forms:
        if each.language != "json":
            continue
        settings = parsed(each)
        for server in settings["mcpServers"].values():
            # Names that a client has for the same thing: FastMCP knows the usual ones alone.
            server.setdefault("url", server.pop("httpUrl", None) or server.get("url"))
            if server["url"] is None:
                del server["url"]
        (found,) = config.MCPConfig.from_dict(settings).mcpServers.values()
        if "command" in settings["mcpServers"]["growerp-system"]:
            assert isinstance(found, config.StdioMCPServer)
            assert found.command == "npx" and TO.url in found.args
        else:
            assert isinstance(found, config.RemoteMCPServer)
            assert found.url == TO.url and set(found.headers) & {"X-API-Key", "api_key"}


# What each client's documentation and source say of its file (docs/clients.md), as JSON Schema: nothing else may stand
# in it, since several clients leave out a server with a field that they do not know.
TEXT = {"type": "string", "minLength": 1}
HEADERS = {"type": "object", "minProperties": 1, "additionalProperties": TEXT}


def one(server, required):
    return {"type": "object", "required": required, "properties": server, "additionalProperties": False}


def under(name, server, **more):
    servers = {"type": "object", "minProperties": 1, "additionalProperties": server}
    return {"type": "object", "required": [name], "properties": {name: servers, **more}, "additionalProperties": False}


STDIO = one(
    {"command": {"const": "npx"}, "args": {"type": "array", "items": TEXT}, "env": HEADERS}, ["command", "args"]
)
SCHEMAS = {
    "gemini": under("mcpServers", one({"httpUrl": TEXT, "headers": HEADERS}, ["httpUrl"])),
    "claude-code": under(
        "mcpServers", one({"type": {"const": "http"}, "url": TEXT, "headers": HEADERS}, ["type", "url"])
    ),
    "vscode": under(
        "servers",
        one({"type": {"enum": ["http", "sse"]}, "url": TEXT, "headers": HEADERS}, ["type", "url"]),
        inputs={
            "type": "array",
            "items": one(
                {"type": {"const": "promptString"}, "id": TEXT, "description": TEXT, "password": {"type": "boolean"}},
                ["type", "id", "description"],
            ),
        },
    ),
    "cursor": under("mcpServers", one({"url": TEXT, "headers": HEADERS}, ["url"])),
    "codex": under(
        "mcp_servers", one({"url": TEXT, "env_http_headers": HEADERS, "http_headers": HEADERS}, ["url"])
    ),
    "claude-desktop": under("mcpServers", STDIO),
    "opencode": under(
        "mcp",
        one(
            {"type": {"const": "remote"}, "url": TEXT, "enabled": {"type": "boolean"}, "headers": HEADERS},
            ["type", "url"],
        ),
    ),
    "windsurf": under("mcpServers", one({"serverUrl": TEXT, "headers": HEADERS}, ["serverUrl"])),
    "zed": under("context_servers", one({"url": TEXT, "headers": HEADERS}, ["url"])),
    "cline": under(
        "mcpServers", one({"type": {"const": "streamableHttp"}, "url": TEXT, "headers": HEADERS}, ["type", "url"])
    ),
    "goose": under(
        "extensions",
        one(
            {
                "enabled": {"type": "boolean"}, "type": {"const": "streamable_http"}, "name": TEXT, "uri": TEXT,
                "headers": HEADERS, "env_keys": {"type": "array", "items": TEXT}, "timeout": {"type": "integer"},
            },
            ["enabled", "type", "name", "uri"],
        ),
    ),
    "lm-studio": under("mcpServers", one({"url": TEXT, "headers": HEADERS}, ["url"])),
    "jetbrains": under("mcpServers", STDIO),
    "copilot-cli": under(
        "mcpServers",
        one(
            {"type": {"const": "http"}, "url": TEXT, "headers": HEADERS, "tools": {"type": "array"}},
            ["type", "url", "tools"],
        ),
    ),
    "mcp-remote": under("mcpServers", STDIO),
}  # fmt: skip


@pytest.mark.parametrize("client", SCHEMAS)
def test_every_form_is_what_its_client_documents_and_nothing_more(client):
    jsonschema = pytest.importorskip("jsonschema")
    for each in ALL[client].forms:
        if each.language != "shell":
            jsonschema.validate(parsed(each), SCHEMAS[client])


def test_continue_gets_a_list_of_servers():
    (server,) = parsed(form("continue", "environment"))["mcpServers"]
    assert set(server) == {"name", "type", "url", "requestOptions"} and server["type"] == "streamable-http"


def test_every_client_with_a_file_has_a_schema_here():
    assert {*SCHEMAS, "continue", "curl"} == set(ALL)


def test_every_client_is_in_the_list_once():
    assert len(ALL) == len(CLIENTS) == 17
