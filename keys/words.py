"""Scopes and tools as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext

from keys import scopes
from keys.models import McpServer

# The portal's own tools, for the people who allow them; its catalogue describes them to AI clients, in English.
_OWN: Final[dict[str, tuple[str | Promise, str | Promise]]] = {
    "get_companies": (_l("List companies"), _l("The companies that you may see, with their members.")),
    "get_users": (_l("List users"), _l("The members of the company, with their roles.")),
    "get_entity_info": (_l("Describe the data model"), _l("The kinds of records that the portal keeps.")),
    "get_service_info": (_l("Describe the API"), _l("What the HTTP API of the portal can do.")),
    "ping_system": (_l("Check the system"), _l("Whether the portal and its parts are healthy.")),
    "whoami": (_l("Say who it acts for"), _l("The key, the company and the person, and what it may do.")),
    "list_api_keys": (
        _l("List API keys"),
        _l("The keys of the company: names, states, scopes, last use, never a value."),
    ),
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of a server's catalogue as a page lists it. `read_only`: it changes nothing; `gone`: no longer offered."""

    name: str
    title: str
    description: str = ""
    read_only: bool = False
    gone: bool = False

    def __str__(self) -> str:
        return self.title

    @property
    def group(self) -> str:
        """The heading under which it is listed."""
        if self.gone:
            return _("No longer offered by the server")
        return _("Read only: they change nothing") if self.read_only else _("They change things")


def tools_of(server: McpServer, kept: Iterable[str] = ()) -> list[Tool]:
    """The tools of `server`: read-only ones first, then the others, then those of `kept` that the server lost.

    A tool that does not say that it changes nothing counts as one that does.
    """
    own = _OWN if server.is_portal else {}
    offered = []
    for entry in server.tools:
        name = entry["name"]
        title, text = own.get(name) or (entry.get("title") or name, entry.get("description", ""))
        offered.append(Tool(name, str(title), str(text), bool(entry.get("read_only"))))
    gone = [Tool(name, name, gone=True) for name in sorted(set(kept) - set(server.tool_names))]
    return sorted(offered, key=lambda tool: not tool.read_only) + gone


def scope_summary(found: Iterable[str]) -> str:
    """`found` in a few words: All tools; Read-only tools; get_users; 3 tools."""
    found = list(found)
    if scopes.ALL in found:
        return _("All tools")
    tools = [scope.removeprefix(scopes.TOOL_PREFIX) for scope in found if scope != scopes.READ]
    if scopes.READ in found:
        if not tools:
            return _("Read-only tools")
        return ngettext("Read-only tools and %(count)d more", "Read-only tools and %(count)d more", len(tools)) % {
            "count": len(tools)
        }
    return (
        tools[0]
        if len(tools) == 1
        else ngettext("%(count)d tool", "%(count)d tools", len(tools)) % {"count": len(tools)}
    )


def permitted_tools(found: Iterable[str], server: McpServer) -> list[Tool]:
    """The tools of `server` that the scopes `found` permit, and those they name that the server lost."""
    found = list(found)
    named = [scope.removeprefix(scopes.TOOL_PREFIX) for scope in found if scope not in {scopes.ALL, scopes.READ}]
    return [
        tool for tool in tools_of(server, named) if tool.gone or scopes.allows(found, tool.name, server.read_only_tools)
    ]
