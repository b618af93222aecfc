"""mcp-remote: the bridge for clients that can only start a program (stdio)."""

from __future__ import annotations

from typing import Any

from keys.snippets.parts import HEADER, Connection, Form, Place, Snippet, as_json, shell
from keys.snippets.parts import gettext_noop as _


def arguments(to: Connection) -> list[str]:
    """The words after `npx`. No blank after the colon: some clients split arguments at blanks."""
    words = ["-y", "mcp-remote", to.url, "--header", f"{HEADER}:${{{to.variable}}}"]
    return [*words, "--allow-http"] if to.is_plain_http_elsewhere else words


def server(to: Connection) -> dict[str, Any]:
    """The settings of a stdio server that is the bridge; the key stands in its `env`."""
    return {"command": "npx", "args": arguments(to), "env": {to.variable: to.key}}


def snippet(to: Connection) -> Snippet:
    """For any client whose settings have `command`, `args` and `env`."""
    return Snippet(
        client="mcp-remote",
        name="mcp-remote",
        places=(Place("mcpServers", _("The MCP settings of the client")),),
        forms=(
            Form("environment", "shell", shell("npx", *arguments(to))),
            Form("inline", "json", as_json({"mcpServers": {to.name: server(to)}})),
        ),
        next_step=_("Restart the client. The bridge needs Node.js 20 or newer."),
        note=_("For every other client that can start a program on your machine."),
    )
