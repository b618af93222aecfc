"""What is sent to the portal and what its answers mean; the same for the sync and the async verifier. No I/O."""

from __future__ import annotations

import email.utils
import ipaddress
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import httpx

from latchkey import verdicts
from latchkey.store import Question
from latchkey.tokens import kind_of
from latchkey.verdicts import UNAVAILABLE, Verdict, refusal
from latchkey.version import __version__

VERIFY: Final = "/api/v1/keys/verify"
REVOCATIONS: Final = "/api/v1/revocations"
USAGE: Final = "/api/v1/usage"
MOST_ITEMS: Final = 500
_RETRIED: Final = frozenset({502, 503, 504})
_BACKOFF: Final = 0.05
_LONGEST_WAIT: Final = 0.5
_MOST_RETRY_AFTER: Final = 60
# The request did not reach the portal, or the connection was closed before any answer (a process that was replaced).
# A time-out while waiting for the answer is not retried: the portal may be counting the call.
RETRIED_ERRORS: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.RemoteProtocolError,
    httpx.ReadError,
    httpx.WriteError,
)


class Response(Protocol):
    """What is read of an HTTP answer."""

    status_code: int
    headers: Any

    def json(self) -> Any:
        """The body."""


class Answer(NamedTuple):
    """A verdict, and for how many seconds from the sending of the question it may be used (0: not remembered)."""

    verdict: Verdict
    life: float = 0


def base_url(text: str) -> str:
    """The portal's address without a slash at its end. Raises ValueError for anything but http(s)://host."""
    url = httpx.URL(text)
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.userinfo:
        raise ValueError("The portal's address must look like https://portal.example.com.")
    return text.rstrip("/")


def client_options(portal_url: str, credential: str, *, timeout: float) -> dict[str, Any]:
    """Arguments for httpx's clients. Raises ValueError if `credential` is not a server credential; never shows it."""
    if kind_of(credential) != "srv":
        raise ValueError("The credential must be a Latchkey server credential (lk_srv_…), copied whole.")
    return {
        "base_url": base_url(portal_url),
        "headers": {
            "Authorization": f"Bearer {credential}",
            "Accept": "application/json",
            "User-Agent": f"latchkey/{__version__}",
        },
        "timeout": httpx.Timeout(timeout),
        "limits": httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=15),
        "follow_redirects": False,
    }


def question_body(key: str, question: Question) -> dict[str, str]:
    """The JSON to ask with. What the portal would refuse to read (an address that is none) is left out or cut."""
    body = {"key": key}
    if question.tool is not None:
        body["tool"] = question.tool
    if (address := _address(question.client_ip)) is not None:
        body["client_ip"] = address
    if question.client and (client := "".join(filter(str.isprintable, question.client))[:80].strip()):
        body["client"] = client
    return body


def can_be_named(tool: str) -> bool:
    """Whether a tool of this name can be asked about. If not, no scope but `tools:*` can permit it."""
    return len(tool) <= 128 and tool.isprintable()


def for_unnameable(verdict: Verdict) -> Verdict:
    """The verdict on a tool that cannot be asked about, given that on the key alone."""
    if verdict.valid and "tools:*" not in verdict.scopes:
        return refusal(verdicts.INSUFFICIENT_SCOPE, request_id=verdict.request_id)
    return verdict


def read_verdict(response: Response) -> Answer:
    """The answer to a question. Whatever is not understood is UNAVAILABLE: fail closed."""
    if response.status_code != 200:
        return Answer(_no_verdict(response))
    try:
        verdict = verdicts.from_json(response.json())
    except ValueError:
        return Answer(refusal(UNAVAILABLE, "The portal's answer was not understood."))
    return Answer(verdict, _life(verdict, response.headers) if verdict.valid else 0)


def is_failure(response: Response) -> bool:
    """Whether to count the answer towards the breaker: it would be the same for any other question just now."""
    return response.status_code not in {200, 400, 413}


def may_retry(response: Response) -> bool:
    """502, 503 and 504 may pass; not if the portal itself asks for a longer wait than a caller would bear."""
    if response.status_code not in _RETRIED:
        return False
    return retry_after(response) is None


def pause(attempt: int) -> float:
    """Seconds to wait before attempt `attempt` (1, 2, …): exponential, with full jitter."""
    return random.uniform(0, min(_LONGEST_WAIT, _BACKOFF * 2**attempt))  # noqa: S311


def retry_after(response: Response) -> int | None:
    """`Retry-After` in seconds; None if there is none."""
    value = response.headers.get("Retry-After", "")
    return min(int(value), _MOST_RETRY_AFTER) if value.isascii() and value.isdigit() else None


def is_database_away(response: Response) -> bool:
    """Whether the portal says that its database is away: then no revocation can have been accepted."""
    if response.status_code != 503:
        return False
    try:
        problem = response.json()
    except ValueError:
        return False
    return isinstance(problem, dict) and str(problem.get("type", "")).endswith("/database-unavailable")


def usage_report(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A report of calls answered from memory. Its id makes it count once, however often it is sent."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"id": str(uuid.uuid4()), "items": [_sendable({**item, "at": at}) for item in items]}


def _sendable(item: dict[str, Any]) -> dict[str, Any]:
    question = question_body("", Question(item.get("tool"), item.get("client_ip"), item.get("client")))
    return {name: item[name] for name in ("key_id", "count", "at")} | {n: v for n, v in question.items() if n != "key"}


def _life(verdict: Verdict, headers: Mapping[str, str]) -> float:
    if verdict.expires_at is None:
        return max(0.0, verdict.cache_seconds)
    # By the portal's clock where it tells it, so that a clock that is wrong here does not prolong a key's life.
    try:
        now = email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        now = time.time()
    return max(0.0, min(verdict.cache_seconds, verdict.expires_at.timestamp() - now))


def _no_verdict(response: Response) -> Verdict:
    wait = retry_after(response)
    if response.status_code in {401, 403}:
        return refusal(UNAVAILABLE, "The portal refused this MCP server's own credential.", retry_after=wait or 30)
    if response.status_code == 429:
        return refusal(UNAVAILABLE, "The portal limits this MCP server; try again.", retry_after=wait or 5)
    return refusal(UNAVAILABLE, retry_after=wait or 1)


def _address(text: str | None) -> str | None:
    try:
        return str(ipaddress.ip_address(text.split("%")[0])) if text else None
    except ValueError:
        return None
