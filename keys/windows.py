"""How often one address or one person may do something: counters in the cache, by windows of fixed length."""

from __future__ import annotations

import time

from django.core.cache import cache


def wait(name: str, who: str, most: int, window: int) -> int:
    """Count one more time. 0, or for how many seconds `who` has to wait: it was there `most` times in this window."""
    times = count(name, who, window)
    return 0 if times <= most else _left(window)


def look(name: str, who: str, most: int, window: int) -> int:
    """The same without counting: 0 as long as one more time is allowed."""
    times = int(cache.get(_key(name, who, window)) or 0)
    return 0 if times < most else _left(window)


def count(name: str, who: str, window: int) -> int:
    """Count one more time; how often it was in this window."""
    key = _key(name, who, window)
    cache.add(key, 0, window * 2)
    try:
        return cache.incr(key)
    except ValueError:  # evicted between the two calls
        return 0


def _key(name: str, who: str, window: int) -> str:
    return f"{name}:{int(time.time() // window)}:{who}"


def _left(window: int) -> int:
    return window - int(time.time() % window)
