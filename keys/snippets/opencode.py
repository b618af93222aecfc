"""opencode: `opencode.json`."""

from __future__ import annotations

from keys.snippets.parts import HEADER, Connection, Form, Place, Snippet, as_json
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """`{env:VAR}` in headers."""
    return Snippet(
        client="opencode",
        name="opencode",
        places=(
            Place("~/.config/opencode/opencode.json", _("For every project")),
            Place("opencode.json", _("In the folder of your project")),
        ),
        forms=(
            Form("environment", "json", _settings(to, f"{{env:{to.variable}}}")),
            Form("inline", "json", _settings(to, to.key)),
        ),
        next_step=_("Run opencode mcp list: the server shows as connected."),
    )


def _settings(to: Connection, value: str) -> str:
    server = {"type": "remote", "url": to.url, "enabled": True, "headers": {HEADER: value}}
    return as_json({"mcp": {to.name: server}})
