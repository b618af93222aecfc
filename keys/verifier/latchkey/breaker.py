"""A circuit breaker: when the portal does not answer, stop asking for a moment, so that callers do not all wait."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable


class Breaker:
    """Opens after `failures` in a row; `rest` seconds later it lets one call through, which decides (half open)."""

    def __init__(self, *, clock: Callable[[], float], failures: int = 5, rest: float = 1.0) -> None:
        self._clock = clock
        self._failures = failures
        self._rest = rest
        self._lock = threading.Lock()
        self._row = 0
        self._opens_again = -math.inf

    def allows(self) -> bool:
        """Whether to ask now. While open, True once in `rest` seconds, for the caller who is to try."""
        if self._row < self._failures:
            return True
        with self._lock:
            now = self._clock()
            if self._row < self._failures or now >= self._opens_again:
                # The one who tries may never report back (cancelled): another may try after the same rest.
                self._opens_again = now + self._rest
                return True
            return False

    def succeeded(self) -> None:
        """The portal answered: closed."""
        self._row = 0

    def failed(self) -> None:
        """It did not."""
        with self._lock:
            self._row += 1
            self._opens_again = self._clock() + self._rest
