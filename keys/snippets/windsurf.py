"""Windsurf: `mcp_config.json`. Its word for the address is `serverUrl`; with `url` it does not connect."""

from __future__ import annotations

from keys.snippets.parts import HEADER, Connection, Form, Place, Snippet, as_json
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """`${env:VAR}` in headers."""
    return Snippet(
        client="windsurf",
        name="Windsurf",
        places=(
            Place("~/.codeium/windsurf/mcp_config.json", _("macOS, Linux")),
            Place(r"%USERPROFILE%\.codeium\windsurf\mcp_config.json", _("Windows")),
        ),
        forms=(
            Form("environment", "json", _settings(to, f"${{env:{to.variable}}}")),
            Form("inline", "json", _settings(to, to.key)),
        ),
        next_step=_("Press refresh in the MCP panel of Cascade."),
    )


def _settings(to: Connection, value: str) -> str:
    return as_json({"mcpServers": {to.name: {"serverUrl": to.url, "headers": {HEADER: value}}}})
