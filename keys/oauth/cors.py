"""Cross-origin calls: clients that are web pages (MCP Inspector) read metadata and ask for tokens without cookies."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse


def open_to_browsers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator: any origin may call it. No cookie is read there, so a page gains nothing that curl has not."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = HttpResponse(status=204) if request.method == "OPTIONS" else view(request, *args, **kwargs)
        response.headers["Access-Control-Allow-Origin"] = "*"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, MCP-Protocol-Version"
            response.headers["Access-Control-Max-Age"] = "86400"
        return response

    return answered
