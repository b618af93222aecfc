"""How much a caller may send: callers with bad credentials by address, the others by what they called with.

Bad credentials are refused before the database is asked.

Only failures count, so that a busy MCP server is never slowed, and a flood of guesses from one address does not lock
out a tenant: the limit is the address's own.
"""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import Throttled
from rest_framework.views import APIView

from keys import hotstore, windows
from keys.api import problems
from keys.limits import Limits, Permit
from portal.addresses import client_address

MOST_FAILURES = 60
WINDOW_SECONDS = 60

# address → end of its window, while it is over the limit: known without a round trip.
_refused: dict[str, float] = {}


def refuse(request: HttpRequest) -> HttpResponse | None:
    """429 for an address that sent too many bad credentials in this minute; None lets the request pass."""
    if not _refused:
        return None
    address = client_address(request) or ""
    until = _refused.get(address)
    if until is None:
        return None
    left = until - time.time()
    if left <= 0:
        _refused.pop(address, None)
        return None
    return problems.problem(
        429,
        "Too many requests with bad credentials came from this address. Check the server credential.",
        type_="too-many-failures",
        headers={"Retry-After": str(int(left) + 1)},
    )


def note_failure(request: HttpRequest) -> None:
    """Count a bad credential against the caller's address."""
    address = client_address(request) or ""
    if windows.count("bad-credentials", address, WINDOW_SECONDS) >= MOST_FAILURES:
        if len(_refused) > 10_000:
            _refused.clear()
        _refused[address] = (time.time() // WINDOW_SECONDS + 1) * WINDOW_SECONDS


def forget() -> None:
    """Forget every refusal (tests)."""
    _refused.clear()


class MachineView(APIView):
    """Base of every API view: an address with too many failures is refused before anything else is done."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refuse, or answer and note a bad credential."""
        if refusal := refuse(request):
            return refusal
        response = super().dispatch(request, *args, **kwargs)
        if response.status_code == 401 and "HTTP_AUTHORIZATION" in request.META:
            note_failure(request)
        return response  # type: ignore[return-value]


class LimitedView(MachineView):
    """An API view whose callers have so many requests a minute, and are told how many are left."""

    permit: Permit | None = None

    def limit_of(self, request: Any) -> tuple[str, int | None]:
        """The name of the caller's bucket, and its requests a minute; None: without limit."""
        raise NotImplementedError

    def check_throttles(self, request: Any) -> None:
        """Take one request of the caller's bucket. Raises Throttled."""
        name, per_minute = self.limit_of(request)
        if per_minute is None:
            return
        self.permit = hotstore.take_all([(name, Limits(per_minute, None), 1)])[0]
        if self.permit is not None and not self.permit.allowed:
            raise Throttled(wait=self.permit.retry_after)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the `RateLimit` headers (IETF draft-ietf-httpapi-ratelimit-headers)."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.permit is not None:
            response.headers["RateLimit-Policy"] = f'"token";q={self.permit.limit};w=60'
            reset = self.permit.retry_after or 1
            response.headers["RateLimit"] = f'"token";r={self.permit.remaining};t={reset}'
        return response
