"""The verdict as the JSON of the verify API (keys/api/verify.py)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from keys.verdicts import MEANINGS, Code

if TYPE_CHECKING:
    from keys.limits import Permit
    from keys.records import CredentialRecord, KeyRecord

CACHE_SECONDS = 30


def valid(
    server: CredentialRecord,
    record: KeyRecord,
    scopes: list[str],
    permit: Permit | None,
    kind: str,
    now: float,
    request_id: str,
) -> dict[str, Any]:
    """The key is good: whose it is, for what, and how long that may be remembered."""
    end = ends_at(record)
    return {
        "valid": True,
        "code": "VALID",
        "kind": kind,
        "key_id": record.id,
        "key_name": record.name,
        "company": {"id": record.company_id, "name": record.company_name, "slug": record.company_slug},
        "user": {"id": record.user_id, "name": record.user_name, "email": record.user_email},
        "server": {"id": server.server_id, "name": server.server_name},
        "scopes": scopes,
        "expires_at": _iso(end),
        "rate_limit": _rate_limit(permit) if permit else None,
        "cache_seconds": CACHE_SECONDS if end is None else max(0, min(CACHE_SECONDS, int(end - now))),
        "request_id": request_id,
    }


def refused(code: Code, facts: dict[str, Any], permit: Permit | None, request_id: str) -> dict[str, Any]:
    """The key is not good: why, with `facts` that help."""
    verdict: dict[str, Any] = {
        "valid": False,
        "code": code.value,
        "message": facts.pop("message", "") or MEANINGS[code].message,
        "request_id": request_id,
        **facts,
    }
    if permit is not None:
        verdict["rate_limit"] = _rate_limit(permit)
        verdict["retry_after"] = permit.retry_after
    return verdict


def refused_unseen(wait: int, request_id: str) -> dict[str, Any]:
    """RATE_LIMITED for an id that was not looked up: too many unknown ones were asked about (keys/unknown_ids.py)."""
    return {
        "valid": False,
        "code": Code.RATE_LIMITED.value,
        "message": "Too many unknown keys were tried; wait a moment.",
        "request_id": request_id,
        "retry_after": wait,
    }


def ends_at(record: KeyRecord | CredentialRecord) -> float | None:
    """When the record is over by itself: at its expiry, or at the end of its overlap if that comes first."""
    if record.overlap_ends_at is None:
        return record.expires_at
    return min(record.overlap_ends_at, record.expires_at or record.overlap_ends_at)


def _rate_limit(permit: Permit) -> dict[str, Any]:
    return {"limit": permit.limit, "remaining": permit.remaining, "reset_at": _iso_second(int(permit.reset_at))}


def _iso(moment: float | None) -> str | None:
    return None if moment is None else _iso_second(int(moment))


@lru_cache(maxsize=4096)
def _iso_second(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()
