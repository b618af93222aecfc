"""The public page "Connect your AI": one card a client, the way without a key first."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from keys.models import McpServer
from keys.oauth.snippets import Keyless, keyless
from keys.snippets import PLACEHOLDER, Connection, snippets, variable
from keys.snippets.parts import Snippet


@dataclass(frozen=True, slots=True)
class Card:
    """One client: without a key, if it can, and with one."""

    snippet: Snippet
    keyless: Keyless | None


@require_safe
def connect(request: HttpRequest) -> HttpResponse:
    """How each AI client is connected to the portal's own MCP server."""
    server = McpServer.objects.filter(is_portal=True, archived_at=None).first()
    if server is None:
        return render(request, "connect.html", {"server": None})
    to = Connection(server.name, server.url, PLACEHOLDER)
    address = _asking_address(server)
    without = keyless(Connection(server.name, address))
    cards = [Card(snippet, without.get(snippet.client)) for snippet in snippets(to)]
    cards.sort(key=lambda card: card.keyless is None)
    return render(
        request, "connect.html", {"server": server, "address": address, "cards": cards, "variable": variable(to)}
    )


def _asking_address(server: McpServer) -> str:
    """The address at which every call asks for authorization, so that clients begin the sign-in at once.

    GrowERP's protocol address lets discovery pass without a key: there the sign-in would wait for the first tool.
    """
    return next((url for url in (server.url, *server.alternate_urls) if urlsplit(url).path == "/mcp"), server.url)
