"""What the tools say, and what they make of the portal's answers."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from keys.mcp.catalogue import TOOLS
from keys.mcp.tools import BY_NAME
from tests.keys.mcp.conftest import Portal

PROTOCOL = "/rest/s1/mcp/protocol"
COMPANIES = {
    "companies": [
        {
            "id": "c1",
            "slug": "acme",
            "name": "Acme",
            "state": "active",
            "email": None,
            "role": "owner",
            "currency": {"code": "EUR", "name": "Euro"},
            "members": [{"id": "u1", "name": "Olivia", "role": "owner"}],
        }
    ],
    "total": 1,
}


def use(http: httpx.Client, portal: Portal, tool: str, **arguments: Any) -> dict[str, Any]:
    message = {"id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    return http.post(PROTOCOL, json=message, headers={"api_key": portal.key()}).json()


def test_the_catalogue_and_the_tools_are_the_same():
    assert list(BY_NAME) == [tool["name"] for tool in TOOLS]


def test_every_tool_shows_its_schemas_and_that_it_only_reads(http: httpx.Client):
    tools = http.post(PROTOCOL, json={"id": 1, "method": "tools/list"}).json()["result"]["tools"]
    assert {tool["name"] for tool in tools} == set(BY_NAME)
    for tool in tools:
        assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object", tool["name"]
        assert tool["annotations"]["readOnlyHint"] is True and tool["annotations"]["destructiveHint"] is False
        assert tool["title"] and tool["description"]


def test_the_portal_is_asked_with_the_callers_own_key(http: httpx.Client, portal: Portal):
    portal.answers["/api/v1/data/companies"] = (200, COMPANIES)
    key = portal.key()
    message = {"id": 1, "method": "tools/call", "params": {"name": "get_companies"}}
    http.post(PROTOCOL, json=message, headers={"X-API-Key": key})
    (headers,) = [headers for path, _body, headers in portal.asked if path == "/api/v1/data/companies"]
    assert {name.lower(): value for name, value in headers.items()}["authorization"] == f"Bearer {key}"


def test_companies_are_said_in_growerps_words(http: httpx.Client, portal: Portal):
    portal.answers["/api/v1/data/companies"] = (200, COMPANIES)
    result = use(http, portal, "get_companies", partyId="someone-elses", role="x", searchString=None)["result"]
    expected = {
        "companies": [
            {
                "partyId": "c1",
                "pseudoId": "acme",
                "name": "Acme",
                "role": "owner",
                "state": "active",
                "currency": {"currencyId": "EUR", "description": "Euro"},
                "employees": [{"partyId": "u1", "name": "Olivia", "role": "owner"}],
            }
        ],
        "total": 1,
    }
    assert result["structuredContent"] == expected
    assert json.loads(result["content"][0]["text"]) == expected


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"start": -1}, "start"),
        ({"companyName": "x" * 300}, "companyName"),
    ],
)
def test_wrong_arguments_are_named_and_reach_no_portal(
    http: httpx.Client, portal: Portal, arguments: dict[str, Any], named: str
):
    result = use(http, portal, "get_companies", **arguments)["result"]
    assert result["isError"] is True and named in result["content"][0]["text"]
    assert not [path for path, _body, _headers in portal.asked if "/data/" in path]


@pytest.mark.parametrize("answer", [(503, {}), (200, b"<html>"), (500, b"Traceback")])
def test_a_portal_that_cannot_answer_is_said_plainly(http: httpx.Client, portal: Portal, answer: tuple[int, Any]):
    portal.answers["/api/v1/data/users"] = answer
    result = use(http, portal, "get_users")["result"]
    assert result["isError"] is True and "try again" in result["content"][0]["text"]
    assert "Traceback" not in json.dumps(result)


def test_an_answer_of_another_form_is_an_error_and_no_trace(http: httpx.Client, portal: Portal):
    portal.answers["/api/v1/data/users"] = (200, {"users": [{"id": 1}], "total": 1})
    result = use(http, portal, "get_users")["result"]
    assert result["isError"] is True and "KeyError" not in json.dumps(result)


def test_an_unknown_tool_is_a_protocol_error_that_names_the_known_ones(http: httpx.Client, portal: Portal):
    error = use(http, portal, "get_products")["error"]
    assert error["code"] == -32602 and "get_products" in error["message"]
    assert error["data"]["tools"] == sorted(BY_NAME)


def test_an_unknown_resource_and_prompt_are_protocol_errors(http: httpx.Client, portal: Portal):
    headers = {"api_key": portal.key()}
    for method, params in (("resources/read", {"uri": "file:///etc/passwd"}), ("prompts/get", {"name": "nope"})):
        answer = http.post(PROTOCOL, json={"id": 1, "method": method, "params": params}, headers=headers)
        assert answer.json()["error"]["code"] == -32602
