"""The reader's theme, and the page that shows every component."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from portal.ui.context import THEMES
from portal.ui.styleguide import examples

YEAR = 365 * 24 * 3600
ERRORS = (400, 403, 404, 429, 500, 503)


def next_page(request: HttpRequest) -> str:
    """Where a small form of every page leads back to: its `next` if that is a page of the portal, else the start."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return target
    return reverse("landing")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember `theme` (light, dark; anything else: as the system) in a cookie and go back to `next`."""
    response = HttpResponseRedirect(next_page(request))
    wanted = request.POST.get("theme", "")
    if wanted in THEMES:
        response.set_cookie("theme", wanted, max_age=YEAR, samesite="Lax", secure=request.is_secure(), httponly=True)
    else:
        response.delete_cookie("theme")
    return response


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every component in every state. Not in production: it is for those who build pages."""
    if settings.PRODUCTION:
        raise Http404
    messages.success(request, "The key was revoked.")
    messages.error(request, "The card was declined.")
    return render(request, "styleguide/index.html", {**examples(), "errors": ERRORS})


@require_safe
def error_page(request: HttpRequest, status: int) -> HttpResponse:
    """The page for an error, to look at (with status 200). Not in production."""
    if settings.PRODUCTION or status not in ERRORS:
        raise Http404
    return render(request, f"{status}.html", {"request_id": "0123456789abcdef0123456789abcdef"})
