"""For Django: a middleware, or a decorator for single views. Settings LATCHKEY_URL and LATCHKEY_CREDENTIAL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, JsonResponse

from latchkey import credentials
from latchkey.context import serving
from latchkey.core import digest
from latchkey.sync import Verifier
from latchkey.verdicts import Verdict

GetResponse = Callable[[HttpRequest], HttpResponse]
_lock = threading.Lock()
_verifier: Verifier | None = None


def verifier() -> Verifier:
    """The process's verifier, made from the settings at the first request."""
    global _verifier
    if _verifier is None:
        with _lock:
            if _verifier is None:
                own: Any = settings
                try:
                    _verifier = Verifier(
                        own.LATCHKEY_URL, own.LATCHKEY_CREDENTIAL, **getattr(settings, "LATCHKEY_OPTIONS", {})
                    )
                except (AttributeError, ValueError) as error:
                    raise ImproperlyConfigured(f"Set LATCHKEY_URL and LATCHKEY_CREDENTIAL: {error}") from error
    return _verifier


def close_verifier() -> None:
    """Report what was counted and forget the process's verifier; the next request makes another."""
    global _verifier
    with _lock:
        old, _verifier = _verifier, None
    if old is not None:
        old.close()


def find_key(request: HttpRequest) -> str:
    """The key that `request` carries, or "". WSGI servers may drop `api_key`, since its name has an underscore."""
    return credentials.find_key(lambda name: request.META.get("HTTP_" + name.upper().replace("-", "_")))


def check(request: HttpRequest, tool: str | None = None) -> Verdict:
    """The verdict on the key of `request`, kept as `request.latchkey`.

    The client's address is the connection's; behind a proxy, let a middleware before this one set `REMOTE_ADDR`.
    """
    verdict = verifier().verify(
        find_key(request),
        tool,
        request.META.get("REMOTE_ADDR") or None,
        credentials.client_name(request.META.get("HTTP_USER_AGENT")),
    )
    request.latchkey = verdict  # type: ignore[attr-defined]
    return verdict


def refused(verdict: Verdict) -> JsonResponse:
    """The answer for a verdict that is not valid."""
    response = JsonResponse(verdict.body(), status=verdict.status, headers=verdict.headers())
    response.headers["Cache-Control"] = "no-store"
    return response


def key_in_url(request: HttpRequest) -> JsonResponse | None:
    """400 if a key stands in the URL."""
    if not credentials.is_key_in_url(request.get_full_path()):
        return None
    return JsonResponse({"error": "invalid_request", "error_description": credentials.KEY_IN_URL}, status=400)


def key_required(view: Any = None, *, tool: str | None = None) -> Any:
    """Decorator: `view` runs only for a key that is good, for `tool` if named. The verdict is `request.latchkey`."""

    def decorate(inner: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(inner)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if (wrong := key_in_url(request)) is not None:
                return wrong
            verdict = check(request, tool)
            if not verdict.valid:
                return refused(verdict)
            with serving(digest(find_key(request)), verdict):
                return inner(request, *args, **kwargs)

        # A key is no cookie: another site cannot make a browser send it.
        checked.csrf_exempt = True  # type: ignore[attr-defined]
        return checked

    return decorate if view is None else decorate(view)


class KeyMiddleware:
    """Middleware: every path under LATCHKEY_PATHS (default: all) needs a good key."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._paths = tuple(path.rstrip("/") for path in getattr(settings, "LATCHKEY_PATHS", ("/",)))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer `request`, or refuse it."""
        if not any(request.path == path or request.path.startswith(path + "/") for path in self._paths):
            return self.get_response(request)
        if (wrong := key_in_url(request)) is not None:
            return wrong
        verdict = check(request)
        if not verdict.valid:
            return refused(verdict)
        with serving(digest(find_key(request)), verdict):
            return self.get_response(request)
