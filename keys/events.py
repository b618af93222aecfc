"""Telling webhooks what happens to keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keys.models import Key
from keys.webhooks.services import Emission, emit_many, key_data


def tell(event_type: str, keys: Iterable[Key], **facts: Any) -> None:
    """Tell the endpoints of the keys' companies and servers that `event_type` happened to each of `keys`."""
    emit_many(event_type, [Emission(key.company_id, key_data(key, **facts), (key.server_id,)) for key in keys])
