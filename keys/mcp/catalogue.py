"""The tools of the portal's own MCP server, as pure data: what it lists, and what the portal offers as scopes."""

from __future__ import annotations

from typing import Final, TypedDict


class CatalogueEntry(TypedDict):
    """One tool as a person sees it; its schemas stand in keys.mcp.schemas."""

    name: str
    title: str
    description: str
    read_only: bool


TOOLS: Final[list[CatalogueEntry]] = [
    {
        "name": "get_companies",
        "title": "List companies",
        "description": "List the companies that the key's user may see, with their members. Use it for any question"
        " about companies; narrow it with companyName or searchString, page with start and limit.",
        "read_only": True,
    },
    {
        "name": "get_users",
        "title": "List users",
        "description": "List the members of the key's company with their roles; narrow it with searchString, page with"
        " start and limit.",
        "read_only": True,
    },
    {
        "name": "get_entity_info",
        "title": "Describe the data model",
        "description": "Describe the kinds of records that the portal keeps and their fields; entityName narrows it to"
        " one of them.",
        "read_only": True,
    },
    {
        "name": "get_service_info",
        "title": "Describe the API",
        "description": "Describe the operations of the portal's HTTP API; serviceName narrows it to one of them.",
        "read_only": True,
    },
    {
        "name": "ping_system",
        "title": "Check the system",
        "description": "Tell whether the portal and each of its parts is healthy.",
        "read_only": True,
    },
    {
        "name": "whoami",
        "title": "Who am I",
        "description": "Tell which key, company and user this connection acts for, what it may do and when it expires.",
        "read_only": True,
    },
    {
        "name": "list_api_keys",
        "title": "List API keys",
        "description": "List the API keys of the key's company: names, states, scopes and last use, never a secret.",
        "read_only": True,
    },
]
