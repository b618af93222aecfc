"""What the hot path reads of the settings: each look through django.conf costs as much as five at a dictionary."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from django.core.signals import setting_changed

T = TypeVar("T")


def once_read(read: Callable[[], T]) -> Callable[[], T]:
    """`read`, which reads settings, called once in a process; in tests again whenever a setting was changed."""
    kept = cache(read)
    setting_changed.connect(lambda **_changed: kept.cache_clear(), weak=False)
    return kept
