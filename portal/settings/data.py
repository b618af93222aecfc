"""Database, cache, sessions."""

from __future__ import annotations

from typing import Any

from portal import env
from portal.settings.run import DATA_DIR

DATABASES = {"default": env.database("DATABASE_URL", f"sqlite://{DATA_DIR}/latchkey.sqlite3")}
REDIS_URL = env.text("REDIS_URL")
CACHES: dict[str, dict[str, Any]] = {
    "default": (
        {"BACKEND": "portal.cache.FallbackCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "latchkey"}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
