"""New values of credentials, and what is stored of each: never the value itself."""

from __future__ import annotations

from typing import Any

from keys import tokens
from keys.peppers import newest


def new_value(kind: tokens.Kind) -> tuple[tokens.Token, dict[str, Any]]:
    """A token that nobody has yet, and the fields of its row (keys/models/credentials.py), under the newest pepper."""
    token = tokens.generate(kind)
    pepper_id, pepper = newest()
    digest = tokens.digest(token.text, pepper)
    return token, {"id": token.id, "digest": digest, "pepper": pepper_id, "hint": tokens.hint(token)}
