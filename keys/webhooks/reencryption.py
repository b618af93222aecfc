"""Encrypting signing secrets anew after SECRET_KEY was changed, so that its fallback can be dropped."""

from __future__ import annotations

from dataclasses import dataclass

from keys.webhooks.models import Endpoint
from keys.webhooks.signing import SecretUnreadable, decrypt, encrypt


@dataclass(frozen=True, slots=True)
class Done:
    """How many endpoints were encrypted anew, and the ids of those whose secret cannot be read any more."""

    count: int
    unreadable: list[str]


def reencrypt() -> Done:
    """Encrypt every secret under the present SECRET_KEY. Safe to repeat, and while webhooks are sent."""
    count, unreadable = 0, []
    for endpoint in Endpoint.objects.order_by("pk").iterator(chunk_size=500):
        try:
            secret = encrypt(decrypt(endpoint.secret))
            previous = encrypt(decrypt(endpoint.previous_secret)) if endpoint.previous_secret else ""
        except SecretUnreadable:
            unreadable.append(endpoint.pk)
            continue
        # Only if nobody rotated it meanwhile.
        same = Endpoint.objects.filter(pk=endpoint.pk, secret=endpoint.secret, previous_secret=endpoint.previous_secret)
        count += same.update(secret=secret, previous_secret=previous)
    return Done(count, unreadable)
