"""How each AI client is connected to an MCP server: one small file a client.

`snippets(connection)` gives them all, the best known first. With a key in the connection the texts are ready to paste;
without, they hold a placeholder.
"""

from __future__ import annotations

from keys.snippets import (
    claude_code,
    claude_desktop,
    cline,
    codex,
    continue_,
    copilot_cli,
    curl,
    cursor,
    gemini,
    goose,
    jetbrains,
    lmstudio,
    mcp_remote,
    opencode,
    vscode,
    windsurf,
    zed,
)
from keys.snippets.parts import PLACEHOLDER, Connection, Form, Link, Place, Snippet, Variable, variable

__all__ = [
    "CLIENTS",
    "PLACEHOLDER",
    "Connection",
    "Form",
    "Link",
    "Place",
    "Snippet",
    "Variable",
    "snippets",
    "variable",
]

CLIENTS = (
    gemini,
    claude_code,
    vscode,
    cursor,
    codex,
    claude_desktop,
    opencode,
    windsurf,
    zed,
    cline,
    continue_,
    goose,
    lmstudio,
    jetbrains,
    copilot_cli,
    mcp_remote,
    curl,
)


def snippets(to: Connection) -> list[Snippet]:
    """The snippets of every client for `to`, in the order in which pages offer them."""
    return [client.snippet(to) for client in CLIENTS]
