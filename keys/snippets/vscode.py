"""VS Code: `.vscode/mcp.json`; it asks for the key once and keeps it in its secret storage."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from keys.snippets.parts import HEADER, Connection, Form, Link, Place, Snippet, as_json, shell
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """The form with `inputs` first; the install link and the command carry the same question, never a key."""
    identifier = f"{to.name}-key"
    inputs = [
        {"type": "promptString", "id": identifier, "description": f"API key for {to.name}", "password": True},
    ]
    asking = _server(to, f"${{input:{identifier}}}")
    install = json.dumps({"name": to.name, **asking, "inputs": inputs}, separators=(",", ":"))
    return Snippet(
        client="vscode",
        name="VS Code",
        places=(
            Place(".vscode/mcp.json", _("In the folder of your project")),
            Place("MCP: Open User Configuration", _("For every project, in the command palette")),
        ),
        forms=(
            Form("prompt", "json", as_json({"inputs": inputs, "servers": {to.name: asking}})),
            Form("inline", "json", as_json({"servers": {to.name: _server(to, to.key)}})),
        ),
        command=shell("code", "--add-mcp", install),
        links=(Link(_("Install in VS Code"), f"vscode:mcp/install?{quote(install, safe='')}"),),
        next_step=_("Start the server from the line above its name and paste the key when VS Code asks for it."),
    )


def _server(to: Connection, value: str) -> dict[str, Any]:
    return {"type": "http", "url": to.url, "headers": {HEADER: value}}
