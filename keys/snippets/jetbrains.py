"""JetBrains AI Assistant: it documents no headers, so through mcp-remote."""

from __future__ import annotations

from keys.snippets.mcp_remote import server
from keys.snippets.parts import Connection, Form, Place, Snippet, as_json
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """The key stands in the settings, in the bridge's `env`. Junie takes the same form."""
    return Snippet(
        client="jetbrains",
        name="JetBrains AI",
        places=(Place("Settings > Tools > AI Assistant > Model Context Protocol (MCP) > Add > As JSON"),),
        forms=(Form("inline", "json", as_json({"mcpServers": {to.name: server(to)}})),),
        next_step=_("Press Apply: the server's status turns green. The bridge needs Node.js 20 or newer."),
        note=_("AI Assistant sends no headers of its own, so the bridge mcp-remote adds the key."),
    )
