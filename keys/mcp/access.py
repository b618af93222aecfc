"""Who may call: the key of a request, the portal's verdict about it, and the refusal that fits each verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from latchkey import Verdict, verdicts
from starlette.datastructures import Headers

if TYPE_CHECKING:
    from starlette.types import Scope

ABSENT: Final = frozenset({"", "null", "undefined"})  # what unset variables of shells and scripts turn into
LEAST_SCOPE: Final = "tools:read"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request came from. Its `repr` shows no secret."""

    key: str = field(repr=False)
    verdict: Verdict = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused, as HTTP and JSON-RPC both say it."""

    status: int
    code: str
    message: str
    headers: dict[str, str]
    required_scope: str = ""
    retry_after: int | None = None


def key_of(scope: Scope) -> str:
    """The key that a request carries, or "": header `api_key`, then `Authorization: Bearer`, then `X-API-Key`."""
    headers = Headers(scope=scope)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token if scheme.lower() == "bearer" else ""
    for value in (headers.get("api_key", ""), bearer, headers.get("x-api-key", "")):
        if value.strip().lower() not in ABSENT:
            return value.strip()
    return ""


def client_name(scope: Scope, message: dict[str, Any] | None = None) -> str | None:
    """The AI client's name, at most 80 characters: as it says in the protocol, else the product in its `User-Agent`."""
    info: Any = None
    if message is not None and isinstance(params := message.get("params"), dict):
        meta = params.get("_meta")
        info = params.get("clientInfo") or (
            meta.get("io.modelcontextprotocol/clientInfo") if isinstance(meta, dict) else None
        )
    name = info.get("name") if isinstance(info, dict) else None
    if not isinstance(name, str) or not name.strip():
        name = Headers(scope=scope).get("user-agent", "").partition("/")[0]
    return "".join(letter for letter in name if letter.isprintable()).strip()[:80] or None


def missing_key(metadata_url: str) -> Refusal:
    """Nothing was sent: a challenge without an error code (RFC 6750, section 3.1)."""
    return refusal(verdicts.refusal(verdicts.MISSING, "API key required for MCP access"), metadata_url)


def refusal(verdict: Verdict, metadata_url: str) -> Refusal:
    """What to answer to a verdict that is not VALID."""
    return Refusal(
        verdict.status,
        verdict.code,
        verdict.message,
        verdict.headers(resource_metadata=metadata_url, scopes=(LEAST_SCOPE,)),
        verdict.required_scope,
        verdict.retry_after,
    )
