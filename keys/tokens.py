"""The token format `lk_<kind>_<id>_<secret><check>`: generate, parse, digest. Pure: no database, no request.

Kinds: `live` and `test` for keys, `srv` for server credentials, `mgt` for management tokens,
`oat` and `ort` for the access and refresh tokens that AI clients get by OAuth. Id: 12, secret: 32, check: 6 base62
characters. The secret holds 32·log2(62) = 190 bits. The check is the CRC32 of all that stands before it, so
that a typo, or a string that only looks like a token, is known without a look-up.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from portal.ids import ALPHABET, new_id

ID_LENGTH: Final = 12
SECRET_LENGTH: Final = 32
CHECK_LENGTH: Final = 6
TOKEN_PATTERN: Final = r"lk_(live|test|srv|mgt|oat|ort)_([0-9A-Za-z]{12})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})"  # noqa: S105
# Two base62 digits at a time: the check is on the hot path.
_PAIRS: Final = tuple(first + second for first in ALPHABET for second in ALPHABET)
_match = re.compile(TOKEN_PATTERN, re.ASCII).fullmatch


class Kind(StrEnum):
    """What a token is for."""

    LIVE = "live"
    TEST = "test"
    SERVER = "srv"
    MANAGEMENT = "mgt"
    ACCESS = "oat"
    REFRESH = "ort"


_KINDS: Final = {kind.value: kind for kind in Kind}
KEY_KINDS: Final = frozenset({Kind.LIVE, Kind.TEST})
# What may open an MCP server.
OPENING_KINDS: Final = KEY_KINDS | {Kind.ACCESS}


class MalformedToken(ValueError):
    """The text is no token: wrong form or wrong check. Never says the text."""


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A token in clear. Its `repr` shows no secret."""

    text: str
    kind: Kind
    id: str

    def __repr__(self) -> str:
        return f"<Token lk_{self.kind}_{self.id}_…>"


def generate(kind: Kind) -> Token:
    """A new token of `kind`, from the operating system's CSPRNG."""
    identifier = new_id()
    secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    body = f"lk_{kind}_{identifier}_{secret}"
    return Token(body + checksum(body), kind, identifier)


def parse(text: str) -> Token:
    """`text` as a token. Raises MalformedToken if its form or check is wrong; looks nothing up."""
    found = _match(text)
    if found is None or checksum(text[:-CHECK_LENGTH]) != text[-CHECK_LENGTH:]:
        raise MalformedToken("This is not a Latchkey token.")
    return Token(text, _KINDS[found[1]], found[2])


def checksum(body: str) -> str:
    """CRC32 of `body` (ASCII) as 6 base62 characters."""
    number = zlib.crc32(body.encode("ascii"))
    high, low = divmod(number, 62**2)
    higher, high = divmod(high, 62**2)
    return _PAIRS[higher] + _PAIRS[high] + _PAIRS[low]


def digest(text: str, pepper: bytes) -> bytes:
    """HMAC-SHA256 of the whole token under `pepper`: what is stored, 32 bytes."""
    return hmac.digest(pepper, text.encode("ascii"), "sha256")  # by its name: that is found fastest


def matches(text: str, stored: bytes, pepper_id: str, peppers: Mapping[str, bytes]) -> bool:
    """Whether `text` is the token whose digest is `stored`, in constant time. A pepper that is gone matches nothing."""
    pepper = peppers.get(pepper_id)
    return hmac.compare_digest(digest(text, pepper or bytes(32)), bytes(stored)) and pepper is not None


def hint(token: Token) -> str:
    """How pages show a token that was shown once: its beginning and its last four characters."""
    return f"lk_{token.kind}_{token.id}_…{token.text[-4:]}"
