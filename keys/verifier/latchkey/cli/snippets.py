"""What to paste into an AI client's settings. The key stays out of the file: each reads it from the environment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final


def variable(name: str) -> str:
    """The environment variable for the key of the server `name`."""
    words = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return f"MCP_{words}_KEY" if words[:1].isdigit() else f"{words}_KEY"


def _servers(name: str, settings: dict[str, Any], member: str = "mcpServers") -> str:
    return json.dumps({member: {name: settings}}, indent=2, ensure_ascii=False)


def _gemini(name: str, url: str) -> str:
    return _servers(name, {"httpUrl": url, "headers": {"X-API-Key": f"${variable(name)}"}})


def _claude_code(name: str, url: str) -> str:
    return _servers(name, {"type": "http", "url": url, "headers": {"X-API-Key": f"${{{variable(name)}}}"}})


def _cursor(name: str, url: str) -> str:
    return _servers(name, {"url": url, "headers": {"X-API-Key": f"${{env:{variable(name)}}}"}})


def _codex(name: str, url: str) -> str:
    key = f'{{ "X-API-Key" = {json.dumps(variable(name))} }}'
    return f"[mcp_servers.{name}]\nurl = {json.dumps(url)}\nenv_http_headers = {key}"


def _vscode(name: str, url: str) -> str:
    asked = {"type": "promptString", "id": f"{name}-key", "description": f"API key for {name}", "password": True}
    server = {"type": "http", "url": url, "headers": {"X-API-Key": f"${{input:{name}-key}}"}}
    return json.dumps({"inputs": [asked], "servers": {name: server}}, indent=2, ensure_ascii=False)


CLIENTS: Final[dict[str, Callable[[str, str], str]]] = {
    "gemini": _gemini,
    "claude-code": _claude_code,
    "vscode": _vscode,
    "cursor": _cursor,
    "codex": _codex,
}
