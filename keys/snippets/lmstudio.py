"""LM Studio: `mcp.json`, in Cursor's notation."""

from __future__ import annotations

from typing import Any

from keys.snippets.parts import HEADER, PLACEHOLDER, Connection, Form, Link, Place, Snippet, as_json, encoded
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """It documents no variables: the key stands in the file. The link carries a placeholder instead of the key."""
    return Snippet(
        client="lm-studio",
        name="LM Studio",
        places=(Place("Program > Install > Edit mcp.json"),),
        forms=(Form("inline", "json", as_json({"mcpServers": {to.name: _server(to, to.key)}})),),
        links=(
            Link(
                _("Install in LM Studio"),
                f"lmstudio://add_mcp?name={to.name}&config={encoded(_server(to, PLACEHOLDER))}",
            ),
        ),
        next_step=_("Save the file and switch the server on. After the install link, put the key in its place first."),
    )


def _server(to: Connection, value: str) -> dict[str, Any]:
    return {"url": to.url, "headers": {HEADER: value}}
