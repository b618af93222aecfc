"""Codex CLI: `~/.codex/config.toml`."""

from __future__ import annotations

from keys.snippets.parts import HEADER, Connection, Form, Place, Snippet, quoted, shell
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """`env_http_headers` names the variable that holds the header's value."""
    head = f"[mcp_servers.{to.name}]\nurl = {quoted(to.url)}\n"
    return Snippet(
        client="codex",
        name="Codex CLI",
        places=(
            Place("~/.codex/config.toml", _("macOS, Linux")),
            Place(r"%USERPROFILE%\.codex\config.toml", _("Windows")),
        ),
        forms=(
            Form("environment", "toml", head + f"env_http_headers = {{ {quoted(HEADER)} = {quoted(to.variable)} }}"),
            Form("inline", "toml", head + f"http_headers = {{ {quoted(HEADER)} = {quoted(to.key)} }}"),
        ),
        command=shell("codex", "mcp", "add", to.name, "--url", to.url, "--bearer-token-env-var", to.variable),
        next_step=_("Start codex. The command /mcp lists the tools of the server."),
    )
