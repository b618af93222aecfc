"""Reading JSON-RPC just enough to know which tools a request would call. No I/O."""

from __future__ import annotations

import json
from typing import Any, Final

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
MOST_CALLS: Final = 50


class Unreadable(ValueError):
    """A body that must not be passed on, since the server might read it in another way than we do."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def body(self) -> dict[str, Any]:
        """The JSON-RPC error to answer."""
        return {"jsonrpc": "2.0", "id": None, "error": {"code": self.code, "message": self.message}}


def read(body: bytes) -> Any:
    """`body` as JSON. Raises Unreadable if it is none, or if two readers could disagree on what it says."""
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_unambiguous)
    except Unreadable:
        raise
    except (ValueError, RecursionError):
        raise Unreadable(PARSE_ERROR, "The body is not JSON in UTF-8.") from None


def messages(data: Any) -> list[dict[str, Any]]:
    """The JSON-RPC messages in `data`: one, or those of a batch."""
    return [item for item in (data if isinstance(data, list) else [data]) if isinstance(item, dict)]


def called_tools(found: list[dict[str, Any]]) -> list[str]:
    """The tools that `found` calls, one entry a call. Raises Unreadable if one names none, or if there are too many."""
    tools = []
    for message in found:
        if message.get("method") != "tools/call":
            continue
        params = message.get("params")
        name = params.get("name") if isinstance(params, dict) else None
        if not isinstance(name, str):
            raise Unreadable(INVALID_REQUEST, "A tools/call must name its tool in params.name.")
        tools.append(name)
    if len(tools) > MOST_CALLS:
        raise Unreadable(INVALID_REQUEST, f"Call at most {MOST_CALLS} tools in one request.")
    return tools


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable(INVALID_REQUEST, "A member of the JSON is there twice.")
    return found
