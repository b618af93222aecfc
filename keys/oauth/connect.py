"""The public page "Connect your AI": one card a client, the way without a key first."""

from __future__ import annotations

from dataclasses import dataclass

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
    without = keyless(to)
    cards = [Card(snippet, without.get(snippet.client)) for snippet in snippets(to)]
    cards.sort(key=lambda card: card.keyless is None)
    return render(request, "connect.html", {"server": server, "cards": cards, "variable": variable(to)})
