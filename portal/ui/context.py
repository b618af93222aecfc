"""What every page knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

THEMES = ("light", "dark")


def portal(request: HttpRequest) -> dict[str, Any]:
    """Names of the installation and the reader's theme, for the base template."""
    theme = request.COOKIES.get("theme", "")
    return {
        "VERSION": settings.VERSION,
        "MAILBOX": settings.MAILBOX,
        "PRODUCTION": settings.PRODUCTION,
        "PORTAL_URL": settings.PORTAL_URL,
        "theme": theme if theme in THEMES else "",
    }
