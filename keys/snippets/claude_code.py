"""Claude Code: `.mcp.json` of a project, `~/.claude.json` of a person."""

from __future__ import annotations

from keys.snippets.parts import HEADER, Connection, Form, Place, Snippet, as_json, shell
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """`.mcp.json` expands `${VAR}`; the command writes that form, so that no key lands in the shell's history."""
    return Snippet(
        client="claude-code",
        name="Claude Code",
        places=(
            Place(".mcp.json", _("In the folder of your project")),
            Place("~/.claude.json", _("For every project")),
        ),
        forms=(
            Form("environment", "json", _settings(to, f"${{{to.variable}}}")),
            Form("inline", "json", _settings(to, to.key)),
        ),
        command=shell(
            *["claude", "mcp", "add", "--scope", "project", "--transport", "http"],
            *(to.name, to.url, "--header", f"{HEADER}: ${{{to.variable}}}"),
        ),
        next_step=_("Start claude in that folder and approve the server; /mcp shows whether it is connected."),
    )


def _settings(to: Connection, value: str) -> str:
    return as_json({"mcpServers": {to.name: {"type": "http", "url": to.url, "headers": {HEADER: value}}}})
