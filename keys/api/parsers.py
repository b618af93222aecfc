"""Reading JSON bodies: bounded in size and depth, and no surprises."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MOST_BYTES = 64 * 1024
MOST_BYTES_BATCH = 512 * 1024


class TooLarge(APIException):
    """413."""

    status_code = 413
    default_detail = "The body is larger than this endpoint takes."


def read_json(body: bytes, *, most: int = MOST_BYTES) -> dict[str, Any]:
    """`body` as a JSON object. Raises TooLarge, ParseError (not JSON, not UTF-8, not an object)."""
    if len(body) > most:
        raise TooLarge
    try:
        value = orjson.loads(body)  # refuses deep nesting, NaN and wrong encodings by itself
    except orjson.JSONDecodeError:
        raise ParseError("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise ParseError("The body must be a JSON object.")
    return value


class JSONObjectParser(BaseParser):
    """DRF's JSON parser, with the bounds of `read_json`."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        """The body as a JSON object."""
        context = parser_context or {}
        most = getattr(context.get("view"), "most_bytes", MOST_BYTES)
        length = context["request"].META.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) > most:
            raise TooLarge
        return read_json(stream.read(most + 1), most=most)
