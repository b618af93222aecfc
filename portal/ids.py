"""Ids of everything that has an address: 12 base62 characters from a CSPRNG, 71 bits, not to be guessed."""

from __future__ import annotations

import secrets
import string

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
LENGTH = 12


def new_id() -> str:
    """A new random id."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
