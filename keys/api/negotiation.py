"""Content negotiation without a choice."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation


class JSONOnly(BaseContentNegotiation):
    """The API speaks JSON: the first parser that fits, the first renderer whatever `Accept` says."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        """The parser whose media type the request has, or None (answered as 415)."""
        content_type = (request.content_type or "").split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        """The first renderer."""
        return renderers[0], renderers[0].media_type
