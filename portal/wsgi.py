"""The WSGI application that the web process serves."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
pages = get_wsgi_application()

# Only now, with the applications loaded:
from django.conf import settings  # noqa: E402
from django.core.handlers.exception import convert_exception_to_response  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.db import connection  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import resolve  # noqa: E402
from django.utils.log import log_response  # noqa: E402
from django.utils.module_loading import import_string  # noqa: E402

from portal import metrics  # noqa: E402
from portal.checks import refuse_unsafe_production  # noqa: E402
from portal.metrics import sharing  # noqa: E402

VERIFY = "/api/v1/keys/verify"

refuse_unsafe_production()
sharing.share("web")


class MachineHandler(WSGIHandler):
    """Django without the middleware of pages, each of which costs something even when it stands aside."""

    _get_response: Any

    def load_middleware(self, is_async: bool = False) -> None:
        """Put settings.MACHINE_MIDDLEWARE around the view."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        handler = convert_exception_to_response(self._get_response)
        for path in reversed(settings.MACHINE_MIDDLEWARE):
            handler = convert_exception_to_response(import_string(path)(handler))
        self._middleware_chain = handler


class VerifyHandler(MachineHandler):
    """The same for the one address that is asked a thousand times a second: resolved once, without signals.

    Signals are looked up, sent and answered four times a request, for what is one line here: dropping a database
    connection that broke. The middleware, the view and its answers are those of MachineHandler.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """Resolve the view, and put the middleware around it."""
        self._view = resolve(VERIFY).func
        super().load_middleware(is_async)

    def _get_response(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self._view(request)
        return response

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer one request."""
        request = self.request_class(environ)
        answer: Any = self._middleware_chain
        response = answer(request)
        if response.status_code >= 400:
            log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
        headers = list(response.headers._store.values())  # items(), five times as fast
        start_response(f"{response.status_code} {response.reason_phrase}", headers)
        connection.close_if_unusable_or_obsolete()
        return response


machines = MachineHandler()
verify = VerifyHandler()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The API's addresses to `machines`, the question about a key to `verify`, all others to `pages`.

    Each is counted with the time that it took.
    """
    path = environ.get("PATH_INFO", "")
    handler: Any
    kind, handler = "page", pages
    if path == VERIFY:
        kind, handler = "verify", verify if environ["REQUEST_METHOD"] == "POST" else machines
    elif path.startswith("/api/v1/"):
        kind, handler = "api", machines
    began = time.perf_counter()
    response: HttpResponse = handler(environ, start_response)
    metrics.observe("latchkey_request_seconds", time.perf_counter() - began, kind, str(response.status_code))
    # Closing a response sends signals; that of `verify` has nothing to close.
    return (response.content,) if handler is verify else response
