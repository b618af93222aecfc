"""Cline: the MCP settings of its panel in VS Code, or `~/.cline/mcp.json` of its command line."""

from __future__ import annotations

from keys.snippets.parts import HEADER, Connection, Form, Place, Snippet, as_json
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """`type` has to be there: without it Cline speaks an older transport."""
    return Snippet(
        client="cline",
        name="Cline",
        places=(
            Place("MCP Servers > Configure", _("In the panel of Cline in VS Code")),
            Place("~/.cline/mcp.json", _("For the command line")),
        ),
        forms=(
            Form("environment", "json", _settings(to, f"${{env:{to.variable}}}")),
            Form("inline", "json", _settings(to, to.key)),
        ),
        next_step=_("Save the file. The server shows a green dot in the panel."),
    )


def _settings(to: Connection, value: str) -> str:
    return as_json({"mcpServers": {to.name: {"type": "streamableHttp", "url": to.url, "headers": {HEADER: value}}}})
