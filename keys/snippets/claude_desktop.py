"""Claude Desktop: `claude_desktop_config.json`, which knows stdio servers only, so through mcp-remote."""

from __future__ import annotations

from keys.snippets.mcp_remote import server
from keys.snippets.parts import Connection, Form, Place, Snippet, as_json
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """The key stands in the file, in the bridge's `env`: this client reads no variable."""
    return Snippet(
        client="claude-desktop",
        name="Claude Desktop",
        places=(
            Place("~/Library/Application Support/Claude/claude_desktop_config.json", _("macOS")),
            Place(r"%APPDATA%\Claude\claude_desktop_config.json", _("Windows")),
        ),
        forms=(Form("inline", "json", as_json({"mcpServers": {to.name: server(to)}})),),
        next_step=_("Quit Claude Desktop and start it again. The bridge needs Node.js 20 or newer."),
        note=_("Claude Desktop starts programs on your machine, so the bridge mcp-remote passes its calls on."),
    )
