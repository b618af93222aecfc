"""How a client is connected without a key: just the address; the client sends the person to sign in. Pure.

What each client does with an address alone was run or is documented: docs/clients.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from keys.snippets.parts import Connection, Link, as_json, encoded, shell
from keys.snippets.parts import gettext_noop as _


@dataclass(frozen=True, slots=True)
class Keyless:
    """A command or settings without a key, an install link where the client has one, and what happens next."""

    next_step: str
    command: str = ""
    settings: str = ""
    place: str = ""
    links: tuple[Link, ...] = ()


def keyless(to: Connection) -> dict[str, Keyless]:
    """By the client's name in keys/snippets: those that sign in by themselves."""
    plain = {"url": to.url}
    bridge_words = ["-y", "mcp-remote", to.url, *(["--allow-http"] if to.is_plain_http_elsewhere else [])]
    goose = {"url": to.url, "type": "streamable_http", "id": to.name, "name": to.name, "description": to.name}
    vscode = json.dumps({"name": to.name, "type": "http", "url": to.url}, separators=(",", ":"))
    return {
        "claude-code": Keyless(
            _("Then sign in: run the second command, or /mcp inside Claude Code."),
            command="\n".join(
                [
                    shell("claude", "mcp", "add", "--transport", "http", to.name, to.url),
                    shell("claude", "mcp", "login", to.name),
                ]
            ),
        ),
        "claude-desktop": Keyless(
            _("Settings, Connectors, Add custom connector: paste this address. The portal must be on the Internet."),
            settings=to.url,
        ),
        "codex": Keyless(
            _("Codex opens your browser to sign in."),
            command=shell("codex", "mcp", "add", to.name, "--url", to.url),
        ),
        "cursor": Keyless(
            _("Cursor shows Needs login: click it, and your browser opens."),
            settings=as_json({"mcpServers": {to.name: plain}}),
            place="~/.cursor/mcp.json",
            links=(
                Link(
                    _("Install in Cursor"),
                    f"cursor://anysphere.cursor-deeplink/mcp/install?name={to.name}&config={encoded(plain)}",
                ),
            ),
        ),
        "vscode": Keyless(
            _("VS Code asks whether to sign in when the server starts."),
            command=shell("code", "--add-mcp", vscode),
            links=(Link(_("Install in VS Code"), f"vscode:mcp/install?{quote(vscode, safe='')}"),),
        ),
        "gemini": Keyless(
            _("Start gemini and type /mcp auth with the server's name."),
            command=shell("gemini", "mcp", "add", "--transport", "http", to.name, to.url),
            settings=as_json({"mcpServers": {to.name: {"httpUrl": to.url}}}),
            place="~/.gemini/settings.json",
        ),
        "opencode": Keyless(
            _("Then run opencode mcp auth with the server's name."),
            settings=as_json({"mcp": {to.name: {"type": "remote", "url": to.url}}}),
            place="~/.config/opencode/opencode.json",
        ),
        "zed": Keyless(
            _("Zed asks you to sign in when it starts the server."),
            settings=as_json({"context_servers": {to.name: plain}}),
            place="~/.config/zed/settings.json",
        ),
        "copilot-cli": Keyless(
            _("Copilot opens your browser to sign in when it starts the server."),
            settings=as_json({"mcpServers": {to.name: {"type": "http", "url": to.url, "tools": ["*"]}}}),
            place="~/.copilot/mcp-config.json",
        ),
        "goose": Keyless(
            _("Goose opens your browser to sign in when it starts the extension."),
            links=(Link(_("Install in Goose"), f"goose://extension?{urlencode(goose)}"),),
        ),
        "jetbrains": Keyless(
            _("The bridge mcp-remote opens your browser to sign in. It needs Node.js 20 or newer."),
            settings=as_json({"mcpServers": {to.name: {"command": "npx", "args": bridge_words}}}),
            place="Settings > Tools > AI Assistant > Model Context Protocol (MCP) > Add > As JSON",
        ),
        "mcp-remote": Keyless(
            _("It opens your browser when the client starts it."),
            command=shell("npx", *bridge_words),
        ),
    }
