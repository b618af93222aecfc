"""JSON-RPC 2.0 messages: read from a body without surprises, answered as errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from keys.mcp.access import Refusal

PERMISSION_DENIED: Final = -32001
AUTHENTICATION_REQUIRED: Final = -32002
LOGIN_FAILED: Final = -32003
UNAVAILABLE: Final = -32000  # first of the codes that JSON-RPC leaves to servers; 429 and 503
PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INVALID_PARAMS: Final = -32602

Id = str | int | None


class BadMessage(Exception):
    """A body that is no single JSON-RPC message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def loads(body: bytes) -> Any:
    """`body` as JSON. Raises BadMessage. NaN and Infinity are no JSON, nesting beyond Python's stack is refused."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadMessage(PARSE_ERROR, "Parse error: the body is not JSON.") from error


def read_message(body: bytes, unwrap: bool = False) -> dict[str, Any]:
    """The one message in `body`. `unwrap`: also accept it as `{"request": {…}}`. Raises BadMessage."""
    message = loads(body)
    if unwrap and isinstance(message, dict) and "method" not in message and "request" in message:
        message = message["request"]
    if isinstance(message, list):
        raise BadMessage(INVALID_REQUEST, "Invalid request: send one message at a time, not a batch.")
    if not isinstance(message, dict):
        raise BadMessage(INVALID_REQUEST, "Invalid request: the body must be a JSON-RPC message.")
    return message


def id_of(message: dict[str, Any] | None) -> Id:
    """The id to answer with; None if there is none or it is of no allowed type."""
    identifier = message.get("id") if message else None
    return identifier if isinstance(identifier, str | int) and not isinstance(identifier, bool) else None


def error(identifier: Id, code: int, message: str, data: Any = None) -> dict[str, Any]:
    """A JSON-RPC error message."""
    body: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return {"jsonrpc": "2.0", "id": identifier, "error": body}


def refused(identifier: Id, refusal: Refusal, data: dict[str, Any] | None = None) -> JSONResponse:
    """A refusal as HTTP status, headers and JSON-RPC error at once; `data` replaces the usual details."""
    details: dict[str, Any] = {"type": "refused", "code": refusal.code, "reason": refusal.message}
    if refusal.required_scope:
        details["required_scope"] = refusal.required_scope
    if refusal.retry_after:
        details["retry_after"] = refusal.retry_after
    if refusal.status == 401:
        code, text = AUTHENTICATION_REQUIRED, "Authentication required"
    elif refusal.status == 403:
        code, text = PERMISSION_DENIED, f"Permission denied: {refusal.message}"
    else:
        code, text = UNAVAILABLE, refusal.message
    return JSONResponse(error(identifier, code, text, data or details), refusal.status, refusal.headers)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
