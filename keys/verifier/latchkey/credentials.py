"""Where in a request the key is."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote_plus

from latchkey.tokens import has_token, is_missing

KEY_IN_URL = "A key was sent in the URL, where logs and histories keep it. Revoke it, and send the new one in a header."
_LONGEST_CLIENT = 80


def find_key(header: Callable[[str], str | None]) -> str:
    """The key that a request carries, or "". `header` gives a header's value by its name in lower case.

    Looked for in `api_key`, `Authorization: Bearer` and `X-API-Key`, in this order. Blank, "null" and "undefined" count
    as missing, so that the next place is tried.
    """
    for name in ("api_key", "authorization", "x-api-key"):
        value = header(name)
        if value is not None and name == "authorization":
            scheme, _, value = value.strip().partition(" ")
            if scheme.lower() != "bearer":
                continue
        if value is not None and not is_missing(value):
            return value.strip()
    return ""


def is_key_in_url(target: str) -> bool:
    """Whether the path and query `target` has a token in it, plain or percent-encoded."""
    return has_token(target) or ("%" in target and has_token(unquote_plus(target)))


def client_name(user_agent: str | None) -> str | None:
    """The AI client's name out of its `User-Agent`: the first product, without its version."""
    product = (user_agent or "").strip().split(" ")[0].split("/")[0]
    return product[:_LONGEST_CLIENT] or None
