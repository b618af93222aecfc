"""Pages that belong to no room: landing, errors."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def landing(request: HttpRequest) -> HttpResponse:
    """What Latchkey is, and where to begin."""
    return render(request, "landing.html")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose token is missing or stale: says to load the page again."""
    return render(request, "errors/csrf.html", status=403)
