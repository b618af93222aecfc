"""New values of credentials, and what is stored of each: never the value itself."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from keys import tokens


def new_value(kind: tokens.Kind) -> tuple[tokens.Token, dict[str, Any]]:
    """A token that nobody has yet, and the fields of its row (keys/models/credentials.py), under the newest pepper."""
    token = tokens.generate(kind)
    pepper_id, pepper = next(iter(settings.PEPPERS.items()))
    digest = tokens.digest(token.text, pepper)
    return token, {"id": token.id, "digest": digest, "pepper": pepper_id, "hint": tokens.hint(token)}
