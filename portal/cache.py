"""The cache of pages: Redis, and this process's own memory while Redis is away, so that sign-in and pages go on.

What the cache holds are limits of attempts and short-lived marks. While Redis is away each process counts for itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

AWAY_SECONDS: Final = 1.0
_TIMEOUTS: Final = {"socket_connect_timeout": 0.25, "socket_timeout": 0.5}


class FallbackCache(BaseCache):
    """Django's Redis cache, with a memory to fall back to; after a failure Redis is left alone for a second."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = {**_TIMEOUTS, **params.get("OPTIONS", {})}
        self._redis = RedisCache(server, {**params, "OPTIONS": options})
        self._memory = LocMemCache("while-redis-is-away", {**params, "OPTIONS": {}})
        self._away_until = 0.0

    def _do(self, act: Callable[[BaseCache], Any]) -> Any:
        if time.monotonic() >= self._away_until:
            try:
                return act(self._redis)
            except RedisError as error:
                log.warning("Redis is away: the cache is this process's own for now (%s)", type(error).__name__)
                self._away_until = time.monotonic() + AWAY_SECONDS
        return act(self._memory)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Set `key` if it is not there; whether it was set."""
        return bool(self._do(lambda cache: cache.add(key, value, timeout, version)))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """The value of `key`, or `default`."""
        return self._do(lambda cache: cache.get(key, default, version))

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        """Set `key`."""
        self._do(lambda cache: cache.set(key, value, timeout, version))

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Give `key` a new time to live; whether it was there."""
        return bool(self._do(lambda cache: cache.touch(key, timeout, version)))

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Delete `key`; whether it was there."""
        return bool(self._do(lambda cache: cache.delete(key, version)))

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Add `delta` in one step. Raises ValueError if `key` is not there."""
        return int(self._do(lambda cache: cache.incr(key, delta, version)))

    def clear(self) -> None:
        """Forget everything."""
        self._memory.clear()
        self._do(lambda cache: cache.clear())
