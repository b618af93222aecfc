"""The verdict: the answer to "is this key good for this?", and what an MCP server answers its client for it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

VALID: Final = "VALID"
MALFORMED: Final = "MALFORMED"
NOT_FOUND: Final = "NOT_FOUND"
REVOKED: Final = "REVOKED"
EXPIRED: Final = "EXPIRED"
COMPANY_INACTIVE: Final = "COMPANY_INACTIVE"
WRONG_SERVER: Final = "WRONG_SERVER"
INSUFFICIENT_SCOPE: Final = "INSUFFICIENT_SCOPE"
IP_DENIED: Final = "IP_DENIED"
RATE_LIMITED: Final = "RATE_LIMITED"
# These two are said by the verifier itself, never by the portal.
MISSING: Final = "MISSING"
UNAVAILABLE: Final = "UNAVAILABLE"

# A code that this version does not know is a refusal: 401.
_STATUS: Final = {
    VALID: 200,
    COMPANY_INACTIVE: 403,
    INSUFFICIENT_SCOPE: 403,
    IP_DENIED: 403,
    RATE_LIMITED: 429,
    UNAVAILABLE: 503,
}
MESSAGES: Final = {
    MISSING: "Send your API key in the X-API-Key header.",
    MALFORMED: "This is not a Latchkey key: check that it was copied whole.",
    INSUFFICIENT_SCOPE: "The key does not have the scope for this tool.",
    UNAVAILABLE: "The key cannot be checked at the moment; try again.",
}


@dataclass(frozen=True, slots=True)
class Company:
    """The company that the key belongs to."""

    id: str
    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class User:
    """The person for whom the key acts."""

    id: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The key's limit, as it stood when the portal was asked."""

    limit: int
    remaining: int
    reset_at: datetime | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a key is good for what was asked. Has no secret in it."""

    valid: bool
    code: str
    message: str = ""
    key_id: str = ""
    key_name: str = ""
    company: Company | None = None
    user: User | None = None
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    rate_limit: RateLimit | None = None
    cache_seconds: float = 0
    required_scope: str = ""
    retry_after: int | None = None
    request_id: str = ""

    def __bool__(self) -> bool:
        return self.valid

    @property
    def status(self) -> int:
        """The HTTP status to answer with: 200, 401, 403, 429 or 503."""
        return _STATUS.get(self.code, 401)

    @property
    def error(self) -> str:
        """The `error` of the challenge (RFC 6750, section 3.1); empty if nothing was sent or none fits."""
        if self.status == 401:
            return "" if self.code == MISSING else "invalid_token"
        return "insufficient_scope" if self.code == INSUFFICIENT_SCOPE else ""

    def challenge(self, *, resource_metadata: str = "", scopes: Iterable[str] = ()) -> str:
        """The value of `WWW-Authenticate` (RFC 6750, section 3; RFC 9728, section 5.1); empty if none is due.

        `scopes` is what a client that has no key should ask for; a refused tool names its own scope instead. A
        company that is not active or an address that is not allowed gets none: no other token would help.
        """
        if (self.status == 403 and not self.error) or self.status not in {401, 403}:
            return ""
        asked = self.required_scope if self.error == "insufficient_scope" else " ".join(scopes)
        parts = {
            "error": self.error,
            "error_description": self.message if self.error else "",
            "scope": asked,
            "resource_metadata": resource_metadata,
        }
        text = ", ".join(f'{name}="{_quotable(value)}"' for name, value in parts.items() if value)
        return f"Bearer {text}" if text else 'Bearer realm="latchkey"'

    def headers(self, *, resource_metadata: str = "", scopes: Iterable[str] = ()) -> dict[str, str]:
        """The headers that belong to the refusal: `WWW-Authenticate`, or `Retry-After` for 429 and 503."""
        headers = {}
        if challenge := self.challenge(resource_metadata=resource_metadata, scopes=scopes):
            headers["WWW-Authenticate"] = challenge
        if self.status in {429, 503}:
            headers["Retry-After"] = str(self.retry_after or 1)
        return headers

    def body(self) -> dict[str, Any]:
        """The refusal as a small JSON object, in the form of OAuth's errors."""
        error = self.error or {429: "rate_limited", 503: "temporarily_unavailable", 403: "access_denied"}.get(
            self.status, "unauthorized"
        )
        facts = {"error": error, "error_description": self.message, "code": self.code, "request_id": self.request_id}
        return {name: value for name, value in facts.items() if value}


def refusal(code: str, message: str = "", **facts: Any) -> Verdict:
    """A verdict of the verifier's own, with its usual message unless `message` is given."""
    return Verdict(valid=False, code=code, message=message or MESSAGES.get(code, ""), **facts)


def from_json(data: Any) -> Verdict:
    """The portal's JSON as a verdict. Raises ValueError if it is none; members that are not known are passed over."""
    if not isinstance(data, dict) or not isinstance(code := data.get("code"), str):
        raise ValueError("no verdict")
    valid = data.get("valid") is True
    if valid != (code == VALID) or (valid and not data.get("key_id")):
        raise ValueError("a verdict that contradicts itself")
    try:
        limit = data.get("rate_limit")
        retry_after = data.get("retry_after")
        return Verdict(
            valid=valid,
            code=code,
            message=str(data.get("message") or ""),
            key_id=str(data.get("key_id") or ""),
            key_name=str(data.get("key_name") or ""),
            company=_part(Company, data.get("company")),
            user=_part(User, data.get("user")),
            scopes=tuple(str(scope) for scope in data.get("scopes") or ()),
            expires_at=moment(data.get("expires_at")),
            rate_limit=RateLimit(int(limit["limit"]), int(limit["remaining"]), moment(limit.get("reset_at")))
            if limit
            else None,
            cache_seconds=float(data.get("cache_seconds") or 0),
            required_scope=str(data.get("required_scope") or ""),
            retry_after=math.ceil(float(retry_after)) if retry_after is not None else None,
            request_id=str(data.get("request_id") or ""),
        )
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError("a verdict that cannot be read") from error


def moment(text: str | None) -> datetime | None:
    """An ISO 8601 time with its offset; None for None. (`fromisoformat` of Python 3.10 does not read `Z`.)"""
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


def _part(kind: Any, data: Any) -> Any:
    return None if data is None else kind(*(str(data.get(name) or "") for name in kind.__slots__))


def _quotable(value: str) -> str:
    # error_description and scope have no quotes, backslashes or non-ASCII in them (RFC 6750, section 3); and no header
    # may carry a line break.
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" if c in '"“”' else "?" for c in value)
