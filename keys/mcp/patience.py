"""How long a connection may take to say what it wants.

uvicorn closes a connection that is idle after an answer, and waits without end for the first request on a new one and
for headers that come a byte at a time. A thousand of those would be all that `limit_concurrency` lets in. The time of a
body is the guard's affair (keys/mcp/guard.py).
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS: Final = 10


class PatientProtocol(H11Protocol):
    """HTTP/1.1, where the headers of a request have to be there within HEADER_SECONDS."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._forget()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Called with all that arrives, and when an answer is complete and the next request may follow."""
        super().handle_events()
        self._watch()

    def _watch(self) -> None:
        """The time runs while no request is being answered, whatever trickles in: also what is left of a refused one's
        body."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _forget(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.close()
