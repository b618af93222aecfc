"""Who may call: the key of a request, the portal's verdict about it, and the refusal that fits each verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from latchkey import Verdict
    from starlette.types import Scope

MISSING: Final = frozenset({"", "null", "undefined"})  # what unset variables of shells and scripts turn into
LEAST_SCOPE: Final = "tools:read"
NOTHING_SENT: Final = "MISSING"


class Verifier(Protocol):
    """What this package needs of `latchkey.AsyncVerifier`."""

    async def verify(
        self, key: str, tool: str | None = None, client_ip: str | None = None, client: str | None = None
    ) -> Verdict:
        """The verdict about `key`."""
        ...


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
    required_scope: str | None = None
    retry_after: int | None = None


def key_of(scope: Scope) -> str:
    """The key that a request carries, or "": header `api_key`, then `Authorization: Bearer`, then `X-API-Key`."""
    headers = Headers(scope=scope)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token if scheme.lower() == "bearer" else ""
    for value in (headers.get("api_key", ""), bearer, headers.get("x-api-key", "")):
        if value.strip().lower() not in MISSING:
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
    return Refusal(
        401,
        NOTHING_SENT,
        "API key required for MCP access",
        {"WWW-Authenticate": _challenge(metadata_url, LEAST_SCOPE)},
    )


def refusal(verdict: Verdict, metadata_url: str) -> Refusal:
    """What to answer to a verdict that is not VALID."""
    status, headers = verdict.status, {}
    retry_after = verdict.retry_after
    scope = verdict.required_scope or LEAST_SCOPE
    if status == 401:
        headers["WWW-Authenticate"] = _challenge(metadata_url, scope, "invalid_token", verdict.message)
    elif status == 403:
        headers["WWW-Authenticate"] = _challenge(metadata_url, scope, "insufficient_scope", verdict.message)
    else:
        retry_after = max(1, round(retry_after or 5))
        headers["Retry-After"] = str(retry_after)
    return Refusal(
        status, str(verdict.code), verdict.message or "Refused.", headers, verdict.required_scope, retry_after
    )


def _challenge(metadata_url: str, scope: str, error: str = "", description: str = "") -> str:
    """A `WWW-Authenticate: Bearer` value (RFC 6750, section 3; RFC 9728, section 5.1)."""
    fields = {"resource_metadata": metadata_url, "scope": scope}
    if error:
        fields |= {"error": error, "error_description": description}
    return "Bearer " + ", ".join(f'{name}="{_quotable(text)}"' for name, text in fields.items())


def _quotable(text: str) -> str:
    """`text` with only the characters that RFC 6750, section 3, allows in these values."""
    return "".join(letter for letter in text if " " <= letter <= "~" and letter not in '"\\')
