"""What every page knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def portal(request: HttpRequest) -> dict[str, Any]:
    """Names of the installation, for the base template."""
    return {"VERSION": settings.VERSION, "MAILBOX": settings.MAILBOX, "PRODUCTION": settings.PRODUCTION}
