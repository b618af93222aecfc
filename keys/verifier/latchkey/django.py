"""For Django: a middleware, or a decorator for single views. Settings LATCHKEY_URL and LATCHKEY_CREDENTIAL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, JsonResponse

from latchkey import credentials, jsonrpc
from latchkey.context import serving
from latchkey.core import digest
from latchkey.sync import Verifier
from latchkey.verdicts import Verdict

GetResponse = Callable[[HttpRequest], HttpResponse]
_FORMS = frozenset({"multipart/form-data", "application/x-www-form-urlencoded"})
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

    Without a `tool`, each that a JSON-RPC `tools/call` in the body names is asked about; raises jsonrpc.Unreadable.
    The client's address is the connection's; behind a proxy, let a middleware before this one set `REMOTE_ADDR`.
    """
    key = find_key(request)
    tools = [tool] if tool or not key else _called(request) or [None]
    address, client = (
        request.META.get("REMOTE_ADDR") or None,
        credentials.client_name(request.headers.get("User-Agent")),
    )
    for name in tools:
        verdict = verifier().verify(key, name, address, client)
        if not verdict.valid:
            break
    request.latchkey = verdict  # type: ignore[attr-defined]
    return verdict


def _called(request: HttpRequest) -> list[str | None]:
    """The tools that the body calls. Forms are left unread: they are no JSON-RPC, and may be large uploads."""
    if request.method != "POST" or request.content_type in _FORMS:
        return []
    try:
        return list(jsonrpc.called_tools(jsonrpc.messages(jsonrpc.read(request.body)))) if request.body else []
    except jsonrpc.Unreadable as error:
        if error.code == jsonrpc.PARSE_ERROR and not (request.content_type or "json").endswith("json"):
            return []
        raise


def refused(verdict: Verdict) -> JsonResponse:
    """The answer for a verdict that is not valid."""
    response = JsonResponse(verdict.body(), status=verdict.status, headers=verdict.headers())
    response.headers["Cache-Control"] = "no-store"
    return response


def _checked(request: HttpRequest, tool: str | None = None) -> HttpResponse | Verdict:
    if (wrong := key_in_url(request)) is not None:
        return wrong
    try:
        verdict = check(request, tool)
    except jsonrpc.Unreadable as error:
        return JsonResponse(error.body(), status=400)
    return verdict if verdict.valid else refused(verdict)


def key_in_url(request: HttpRequest) -> JsonResponse | None:
    """400 if a key stands in the URL."""
    if not credentials.is_key_in_url(request.get_full_path()):
        return None
    return JsonResponse({"error": "invalid_request", "error_description": credentials.KEY_IN_URL}, status=400)


def key_required(view: Any = None, *, tool: str | None = None) -> Any:
    """Decorator: `view` runs only for a key that is good. The verdict is `request.latchkey`.

    tool: what the view is; without it, the tools that a JSON-RPC `tools/call` names.
    """

    def decorate(inner: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(inner)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            verdict = _checked(request, tool)
            if isinstance(verdict, HttpResponse):
                return verdict
            with serving(digest(find_key(request)), verdict):
                return inner(request, *args, **kwargs)

        # A key is no cookie: another site cannot make a browser send it.
        checked.csrf_exempt = True  # type: ignore[attr-defined]
        return checked

    return decorate if view is None else decorate(view)


class KeyMiddleware:
    """Middleware: every path under LATCHKEY_PATHS (default: all) needs a good key, a `tools/call` the tool's scope."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._paths = tuple(path.rstrip("/") for path in getattr(settings, "LATCHKEY_PATHS", ("/",)))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer `request`, or refuse it."""
        if not any(request.path == path or request.path.startswith(path + "/") for path in self._paths):
            return self.get_response(request)
        verdict = _checked(request)
        if isinstance(verdict, HttpResponse):
            return verdict
        with serving(digest(find_key(request)), verdict):
            return self.get_response(request)
