"""What webhooks are told of keys: ids, names and dates, never a value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keys.models import Key
from keys.webhooks.services import Emission, emit_many


def tell(event_type: str, keys: Iterable[Key], **facts: Any) -> None:
    """Tell the endpoints of the keys' companies and servers that `event_type` happened to each of `keys`."""
    emit_many(
        event_type,
        [Emission(key.company_id, {"key": key_facts(key), **facts}, (key.server_id,)) for key in keys],
    )


def key_facts(key: Key) -> dict[str, Any]:
    """The key, as an event's data has it."""
    return {
        "id": key.pk,
        "name": key.name,
        "hint": key.hint,
        "company_id": key.company_id,
        "server_id": key.server_id,
        "user_id": key.user_id,
        "scopes": key.scopes,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }
