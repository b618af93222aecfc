"""Gemini CLI: `~/.gemini/settings.json`."""

from __future__ import annotations

from keys.snippets.parts import HEADER, Connection, Form, Place, Snippet, as_json, shell
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """The published form (`httpUrl`, `headers.api_key`) stands second: docs/decisions/gemini-settings.md says why."""
    return Snippet(
        client="gemini",
        name="Gemini CLI",
        places=(
            Place("~/.gemini/settings.json", _("macOS, Linux")),
            Place(r"%USERPROFILE%\.gemini\settings.json", _("Windows")),
        ),
        forms=(
            Form("environment", "json", _settings(to, HEADER, f"${to.variable}")),
            Form("inline", "json", _settings(to, "api_key", to.key)),
        ),
        command=shell(
            *["gemini", "mcp", "add", "--scope", "user", "--transport", "http", "-H"],
            *(f"{HEADER}: ${to.variable}", to.name, to.url),
        ),
        next_step=_("Start gemini and ask: get me a company list. /mcp shows whether it is connected."),
    )


def _settings(to: Connection, header: str, value: str) -> str:
    return as_json({"mcpServers": {to.name: {"httpUrl": to.url, "headers": {header: value}}}})
