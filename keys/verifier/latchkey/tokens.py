"""The token format `lk_<kind>_<id>_<secret><check>`, read: what can be known of a key without asking anyone. Pure."""

from __future__ import annotations

import re
import zlib
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Keys, and the access tokens that the portal gives to AI clients by OAuth: the portal answers for both alike.
KEY_KINDS: Final = frozenset({"live", "test", "oat"})
_CHECK_LENGTH: Final = 6
_PATTERN: Final = r"lk_(live|test|srv|mgt|oat|ort)_([0-9A-Za-z]{12})_[0-9A-Za-z]{38}"
_match = re.compile(_PATTERN, re.ASCII).fullmatch
_search = re.compile(_PATTERN, re.ASCII).search
_MISSING: Final = frozenset({"", "null", "undefined"})


def kind_of(text: str) -> str | None:
    """`live`, `test`, `srv`, `mgt`, `oat` or `ort`; None if `text` is no token.

    Then its form is wrong, or its check does not fit (a typo).
    """
    found = _match(text)
    if found is None or checksum(text[:-_CHECK_LENGTH]) != text[-_CHECK_LENGTH:]:
        return None
    return found[1]


def is_key(text: str) -> bool:
    """Whether `text` has the form of a key that opens MCP servers."""
    return kind_of(text) in KEY_KINDS


def is_missing(text: str | None) -> bool:
    """Whether a header's value counts as none: blank, or what a script sends when its variable is not set."""
    return text is None or text.strip() in _MISSING


def has_token(text: str) -> bool:
    """Whether something of a token's form stands anywhere in `text`, whatever its check."""
    return "lk_" in text and _search(text) is not None


def checksum(body: str) -> str:
    """CRC32 of `body` (ASCII) as 6 base62 characters."""
    number, digits = zlib.crc32(body.encode("ascii")), ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return digits
