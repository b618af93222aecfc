"""Pages that belong to no room: landing, errors."""

from __future__ import annotations

import sys
from datetime import timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.utils import timezone
from django.views.decorators.http import require_safe

from keys.snippets import Connection, snippets

RETRY_SECONDS = 2


def landing(request: HttpRequest) -> HttpResponse:
    """What Latchkey is, and where to begin."""
    clients = [snippet.name for snippet in snippets(Connection("", ""))]
    return render(request, "landing.html", {"clients": clients})


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Where to report a weakness (RFC 9116). 404 until the operator said who is to be written to."""
    if not settings.SECURITY_CONTACT:
        raise Http404
    contact = settings.SECURITY_CONTACT
    if "@" in contact and not contact.startswith(("mailto:", "https:")):
        contact = f"mailto:{contact}"
    # The page says so as long as it is served: no date in a file that somebody would have to renew.
    expires = (timezone.now() + timedelta(days=180)).strftime("%Y-%m-%dT00:00:00Z")
    lines = [
        f"Contact: {contact}",
        f"Expires: {expires}",
        "Preferred-Languages: en",
        f"Canonical: {settings.PORTAL_URL}/.well-known/security.txt",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose token is missing or stale: says to load the page again."""
    return render(request, "errors/csrf.html", status=403)


def _bare(request: HttpRequest, name: str, status: int) -> HttpResponse:
    """A page made without context processors: session, user and database may be what failed."""
    context = {"request_id": getattr(request, "request_id", "")}
    return HttpResponse(get_template(name).render(context), status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400 for a request that cannot be trusted (a foreign host, a path that is not text)."""
    return _bare(request, "400.html", 400)


def server_error(request: HttpRequest) -> HttpResponse:
    """500 for a fault of ours; 503 with `Retry-After` while the database is away."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        response = _bare(request, "503.html", 503)
        response["Retry-After"] = str(RETRY_SECONDS)
        return response
    return _bare(request, "500.html", 500)
