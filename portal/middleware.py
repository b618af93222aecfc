"""Middleware of the portal. Pages get the whole stack; the API, which carries no cookie, only what it needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from csp.middleware import CSPMiddleware as _ContentSecurityPolicy
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.middleware import AuthenticationMiddleware as _Authentication
from django.contrib.messages.middleware import MessageMiddleware as _Message
from django.contrib.sessions.middleware import SessionMiddleware as _Session
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware as _XFrameOptions
from django.middleware.common import CommonMiddleware as _Common
from django.middleware.csrf import CsrfViewMiddleware as _Csrf
from django.middleware.locale import LocaleMiddleware as _Locale
from django.middleware.security import SecurityMiddleware as _Security
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxMiddleware as _Htmx

from portal.logs import request_id

GetResponse = Callable[[HttpRequest], HttpResponse]

MACHINE_PATHS = (
    "/api/v1/",
    "/healthz/",
    "/metrics",
    "/.well-known/",
    "/oauth/token",
    "/oauth/register",
    "/oauth/device_authorization",
    "/oauth/revoke",
    "/oauth/introspect",
    "/oauth/jwks",
)
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}").fullmatch


def is_machine(request: HttpRequest) -> bool:
    """Whether the request is for the API or a health check: no session, no cookie, no page."""
    return request.path_info.startswith(MACHINE_PATHS)


def pages_only(middleware: Any) -> Any:
    """`middleware`, standing aside for the paths of machines."""

    class PagesOnly(middleware):
        def __call__(self, request: HttpRequest) -> Any:
            """Stand aside, or do what the middleware does."""
            if is_machine(request):
                return self.get_response(request)
            return super().__call__(request)

    PagesOnly.__name__ = PagesOnly.__qualname__ = middleware.__name__
    return PagesOnly


class RequestIdMiddleware:
    """Gives each request an id: the caller's `X-Request-Id` if it is well formed, else a new one.

    It stands in every log line, audit event and verdict, and goes back in the response.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Name the request, answer it, and say its name in the response."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        identifier = given if _VALID_REQUEST_ID(given) else token_hex(16)
        request.request_id = identifier  # type: ignore[attr-defined]
        token = request_id.set(identifier)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-Id"] = identifier
        return response


class SecurityMiddleware(_Security):
    """Django's, and the Permissions-Policy that it lacks. The headers are made once: they are alike in every answer."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self._headers = {secure: self._made(secure) for secure in (False, True)}

    def _made(self, secure: bool) -> tuple[tuple[str, tuple[str, str]], ...]:
        request = HttpRequest()
        request.is_secure = lambda: secure  # type: ignore[method-assign]
        response = HttpResponse()
        del response["Content-Type"]
        response["Permissions-Policy"] = (
            "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()"
        )
        super().process_response(request, response)
        return tuple(response.headers._store.items())

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        """Add the headers that every response has, where the view did not set them."""
        present = response.headers._store  # each `setdefault` of Django's costs as much as all of these
        for name, header in self._headers[request.is_secure()]:
            present.setdefault(name, header)
        return response


class _HtmxOfWindows(_Htmx):
    """django-htmx's, and a redirect that takes the whole window: a part of a page is no place for another page.

    Without it the browser follows the redirect unseen, and htmx puts the page to sign in into a small box.
    """

    def __call__(self, request: HttpRequest) -> Any:
        """Answer; a redirect of what htmx asked for becomes an `HX-Redirect`."""
        response: Any = super().__call__(request)
        if request.htmx and 300 <= response.status_code < 400 and "Location" in response:  # type: ignore[attr-defined]
            response["HX-Redirect"] = _back_to_the_page(request, response["Location"])
            del response["Location"]
            response.status_code = 200  # what the browser follows by itself, htmx never sees
        return response


def _back_to_the_page(request: HttpRequest, location: str) -> str:
    """`location`, of a page that leads back to `next`, with the page in the window as that instead of the part."""
    page = request.htmx.current_url_abs_path  # type: ignore[attr-defined]  # None, if it is not of this host
    parts = urlsplit(location)
    query = parse_qsl(parts.query, keep_blank_values=True)
    ours = {request.get_host()}
    if REDIRECT_FIELD_NAME not in dict(query) or not url_has_allowed_host_and_scheme(location, ours):
        return location
    if not page or not url_has_allowed_host_and_scheme(page, None):
        return location
    query = [(name, page if name == REDIRECT_FIELD_NAME else value) for name, value in query]
    return urlunsplit(parts._replace(query=urlencode(query)))


class _PersonLanguage:
    """Shows pages in the language that the person chose, on whatever browser they use."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Activate the person's language. Where only one is offered there is nothing to ask the database for."""
        if len(settings.LANGUAGES) > 1 and request.user.is_authenticated:
            chosen = getattr(request.user, "language", "")
            if chosen in dict(settings.LANGUAGES):
                translation.activate(chosen)
                request.LANGUAGE_CODE = chosen
        return self.get_response(request)


SessionMiddleware = pages_only(_Session)
LocaleMiddleware = pages_only(_Locale)
CommonMiddleware = pages_only(_Common)
CsrfViewMiddleware = pages_only(_Csrf)
AuthenticationMiddleware = pages_only(_Authentication)
PersonLanguageMiddleware = pages_only(_PersonLanguage)
MessageMiddleware = pages_only(_Message)
HtmxMiddleware = pages_only(_HtmxOfWindows)
XFrameOptionsMiddleware = pages_only(_XFrameOptions)
CSPMiddleware = pages_only(_ContentSecurityPolicy)
