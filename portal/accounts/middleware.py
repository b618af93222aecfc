"""When a session was seen last, for the page of sessions: noted once a minute, and not with each page."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import Final

from allauth.account.adapter import get_adapter
from allauth.usersessions.middleware import UserSessionsMiddleware as _UserSessions
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

NOTED_SECONDS: Final = 60


class UserSessionsMiddleware(_UserSessions):
    """allauth's, which reads and writes the session's row for every request, kept to once a minute.

    A session, an address or a browser that is new is noted at once.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Note the session if it is time, and answer."""
        response: HttpResponse = self.get_response(request) if _is_noted(request) else super().__call__(request)
        return response


def _is_noted(request: HttpRequest) -> bool:
    """Whether this session was noted in this minute of the clock, from this address with this browser."""
    session = getattr(request, "session", None)
    if session is None or not session.session_key or not request.user.is_authenticated:
        return False  # allauth notes none of these
    agent, address = request.META.get("HTTP_USER_AGENT", ""), get_adapter().get_client_ip(request)
    seen = (session.session_key, address, agent, int(time.time()) // NOTED_SECONDS)
    # Hashed: who reads the cache must not find sessions in it.
    return not cache.add(f"session-noted:{sha256(repr(seen).encode()).hexdigest()}", True, NOTED_SECONDS)
