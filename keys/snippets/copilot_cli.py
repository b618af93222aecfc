"""GitHub Copilot CLI: `~/.copilot/mcp-config.json`. It does not expand variables dependably."""

from __future__ import annotations

from keys.snippets.parts import HEADER, Connection, Form, Place, Snippet, as_json
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """The key stands in the file."""
    server = {"type": "http", "url": to.url, "headers": {HEADER: to.key}, "tools": ["*"]}
    return Snippet(
        client="copilot-cli",
        name="Copilot CLI",
        places=(
            Place("~/.copilot/mcp-config.json", _("macOS, Linux")),
            Place(r"%USERPROFILE%\.copilot\mcp-config.json", _("Windows")),
        ),
        forms=(Form("inline", "json", as_json({"mcpServers": {to.name: server}})),),
        next_step=_("Start copilot. The command /mcp show lists the server."),
    )
