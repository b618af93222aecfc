"""How the secrets of confidential clients are stored. Pure."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

PREFIX: Final = "sha256$"


def stored_secret(secret: str) -> str:
    """What is stored of a client's secret. It is random and long: a slow hash would add only cost."""
    return PREFIX + hashlib.sha256(secret.encode()).hexdigest()


def is_secret(given: str, stored: str) -> bool:
    """Whether `given` is the secret of which `stored` is kept, in constant time. Nothing kept matches nothing."""
    return stored.startswith(PREFIX) and hmac.compare_digest(stored_secret(given), stored)
