"""What GrowERP's endpoint forgives: a message without `jsonrpc`, an `initialize` without details, missing headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from keys.mcp.jsonrpc import INVALID_REQUEST, BadMessage

if TYPE_CHECKING:
    from starlette.types import Scope

HANDSHAKE_VERSION: Final = "2025-11-25"  # what an `initialize` that names no version gets: the last with a handshake
MODERN_VERSION: Final = "2026-07-28"
MODERN_META: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_META: Final = "io.modelcontextprotocol/clientCapabilities"
_NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def complete(message: dict[str, Any]) -> dict[str, Any]:
    """`message` with what the protocol needs and people leave out. Raises BadMessage if it names no method."""
    if not isinstance(message.get("method"), str):
        raise BadMessage(INVALID_REQUEST, "Invalid request: a JSON-RPC message needs a method.")
    message = {**message, "jsonrpc": "2.0"}
    if message.get("params") is None:
        message.pop("params", None)
    if message["method"] == "initialize":
        given = message.get("params")
        given = given if isinstance(given, dict) else {}
        message["params"] = {
            **given,
            "protocolVersion": given.get("protocolVersion") or HANDSHAKE_VERSION,
            "capabilities": given.get("capabilities") or {},
            "clientInfo": {"name": "unknown", "version": "0", **_mapping(given.get("clientInfo"))},
        }
    if message["method"] == "server/discover":  # asked without details it can only be the era that has this method
        params = _mapping(message.get("params"))
        meta = {MODERN_META: MODERN_VERSION, CAPABILITIES_META: {}, **_mapping(params.get("_meta"))}
        message["params"] = {**params, "_meta": meta}
    return message


def headers_for(scope: Scope, message: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """The request's headers as Streamable HTTP wants them: types, and those of 2026-07-28 if `_meta` says so."""
    headers = {name: value for name, value in scope["headers"] if name not in {b"accept", b"content-type"}}
    headers[b"accept"] = b"application/json, text/event-stream"
    headers[b"content-type"] = b"application/json"
    params = _mapping(message.get("params"))
    version = _mapping(params.get("_meta")).get(MODERN_META)
    if isinstance(version, str):
        named = params.get(_NAMED.get(message["method"], ""))
        for name, text in (
            (b"mcp-protocol-version", version),
            (b"mcp-method", message["method"]),
            (b"mcp-name", named),
        ):
            if isinstance(text, str) and text.isascii():
                headers.setdefault(name, text.encode())
    return list(headers.items())


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
