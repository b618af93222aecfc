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
from django.utils.module_loading import import_string  # noqa: E402

from portal import metrics  # noqa: E402
from portal.checks import refuse_unsafe_production  # noqa: E402
from portal.metrics import sharing  # noqa: E402

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


machines = MachineHandler()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The API's addresses to `machines`, all others to `pages`; each counted with the time that it took."""
    path = environ.get("PATH_INFO", "")
    kind = "page" if not path.startswith("/api/v1/") else "verify" if path == "/api/v1/keys/verify" else "api"
    began = time.perf_counter()
    response = (pages if kind == "page" else machines)(environ, start_response)
    metrics.observe("latchkey_request_seconds", time.perf_counter() - began, kind, str(response.status_code))
    return response
