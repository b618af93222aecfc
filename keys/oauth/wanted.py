"""What an AI client wants a person to approve, whichever way it asks: by redirect or by a code to type."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from keys import scopes
from keys.models import McpServer
from keys.oauth.validator import OFFLINE
from portal.names import clean_name


class NoSuchTool(ValueError):
    """The MCP server has no tool of a name that was asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which client wants which scopes on which MCP server."""

    client: Any
    server: McpServer
    scopes: list[str]

    @property
    def client_name(self) -> str:
        """What the client calls itself, made safe to show; its host if the name could deceive."""
        try:
            name = clean_name(self.client.name)[:80]
        except Exception:  # noqa: BLE001  (a name that cannot be shown is no name)
            name = ""
        if not name or "latchkey" in name.lower():
            return self.client_host or _("An AI client without a name")
        return name

    @property
    def client_host(self) -> str:
        """The host that is proven to be the client's: of the metadata document that is its id. "" if none is."""
        if self.client.registration_source != "cimd":
            return ""
        return urlsplit(self.client.client_id).hostname or ""


def scopes_for(asked: Iterable[str], server: McpServer) -> list[str]:
    """The scopes to offer a person for `asked`: read-only tools if nothing in particular. Raises NoSuchTool."""
    wanted = scopes.normalize([scope for scope in asked if scope != OFFLINE] or [scopes.READ])
    known = {scopes.ALL, scopes.READ, *(scopes.TOOL_PREFIX + name for name in server.tool_names)}
    if server.tools and set(wanted) - known:
        raise NoSuchTool("The MCP server has no such tool.")
    return wanted
