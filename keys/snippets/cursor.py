"""Cursor: `~/.cursor/mcp.json`."""

from __future__ import annotations

from typing import Any

from keys.snippets.parts import HEADER, Connection, Form, Link, Place, Snippet, as_json, encoded
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """`${env:VAR}` in headers; the install link carries that form."""
    asking = _server(to, f"${{env:{to.variable}}}")
    return Snippet(
        client="cursor",
        name="Cursor",
        places=(
            Place("~/.cursor/mcp.json", _("For every project")),
            Place(".cursor/mcp.json", _("In the folder of your project")),
        ),
        forms=(
            Form("environment", "json", as_json({"mcpServers": {to.name: asking}})),
            Form("inline", "json", as_json({"mcpServers": {to.name: _server(to, to.key)}})),
        ),
        links=(
            Link(
                _("Install in Cursor"),
                f"cursor://anysphere.cursor-deeplink/mcp/install?name={to.name}&config={encoded(asking)}",
            ),
        ),
        next_step=_("Open the MCP page of Cursor's settings and switch the server on."),
    )


def _server(to: Connection, value: str) -> dict[str, Any]:
    return {"url": to.url, "headers": {HEADER: value}}
