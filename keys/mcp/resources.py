"""What the server offers besides its tools: the caller's company and key to read, a guide, and one prompt."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from keys.mcp.catalogue import TOOLS
from keys.mcp.portal_api import PortalAPI
from keys.mcp.schemas import Nothing
from keys.mcp.tools import whoami

Read = Callable[[PortalAPI, str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Resource:
    """Something to read. `tool`: the tool whose scope reading it needs, None if any good key will do."""

    uri: str
    name: str
    title: str
    description: str
    mime_type: str
    tool: str | None
    read: Read


async def _company(portal: PortalAPI, key: str) -> str:
    return json.dumps((await whoami(portal, key, Nothing()))["company"], ensure_ascii=False)


async def _key(portal: PortalAPI, key: str) -> str:
    return json.dumps((await whoami(portal, key, Nothing()))["key"], ensure_ascii=False)


async def _guide(_portal: PortalAPI, _key: str) -> str:
    lines = [f"- `{tool['name']}`: {tool['description']}" for tool in TOOLS]
    return "\n".join(
        [
            "# What this server knows",
            "",
            "It answers from the key portal: companies, their members and API keys, and the portal's own state. Every",
            "answer is bounded by the key's company, whatever the arguments say. It has no ERP data such as orders or",
            "products: those tools are on the ERP's own MCP server.",
            "",
            "# Tools",
            "",
            *lines,
            "",
        ]
    )


RESOURCES: Final = {
    resource.uri: resource
    for resource in (
        Resource(
            "latchkey://company",
            "company",
            "The key's company",
            "The company that this connection acts for.",
            "application/json",
            "whoami",
            _company,
        ),
        Resource(
            "latchkey://key",
            "key",
            "This key",
            "The API key of this connection: its name, scopes and expiry, never its secret.",
            "application/json",
            "whoami",
            _key,
        ),
        Resource(
            "latchkey://docs/tools",
            "tools-guide",
            "How to use this server",
            "What this server knows and which tool answers what.",
            "text/markdown",
            None,
            _guide,
        ),
    )
}

PROMPT: Final = "company-overview"
PROMPT_TITLE: Final = "Company overview"
PROMPT_DESCRIPTION: Final = "Get me a company list, with the people and the API keys of the key's company."
PROMPT_TEXT: Final = (
    "Get me a company list. Call get_companies for the companies that I may see, get_users for the people of my company"
    " and list_api_keys for its API keys. Then sum up in a short table who is in which company with which role, and"
    " name keys that expire within 30 days or were never used."
)
