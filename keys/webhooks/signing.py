"""Signing secrets: made, encrypted for the database, and used (Standard Webhooks, "Signature scheme")."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils import timezone
from standardwebhooks import Webhook

from keys.webhooks.models import Endpoint

PREFIX = "whsec_"
SECRET_BYTES = 32


class SecretUnreadable(Exception):
    """A stored secret was encrypted under a SECRET_KEY that is gone."""


def new_secret() -> str:
    """A new signing secret in the form that receivers' libraries take: `whsec_` and 32 bytes of a CSPRNG in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def encrypt(secret: str) -> str:
    """`secret` as the database keeps it: encrypted and authenticated under a key derived from SECRET_KEY."""
    return _cipher().encrypt(secret.encode()).decode()


def decrypt(stored: str) -> str:
    """The secret that `encrypt` was given, also under one of SECRET_KEY_FALLBACKS. Raises SecretUnreadable."""
    try:
        return _cipher().decrypt(stored.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable from None


def signed_headers(endpoint: Endpoint, message_id: str, body: str, now: datetime | None = None) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` and `webhook-signature` for `body`; two signatures during a rotation's overlap.

    Raises SecretUnreadable.
    """
    now = now or timezone.now()
    stored = [endpoint.secret]
    if endpoint.previous_secret and endpoint.previous_until and endpoint.previous_until > now:
        stored.append(endpoint.previous_secret)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(decrypt(secret)).sign(message_id, now, body) for secret in stored),
    }


def _cipher() -> MultiFernet:
    return _cipher_of((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _cipher_of(secret_keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret_key)) for secret_key in secret_keys])


def _derived(secret_key: str) -> bytes:
    # HKDF (RFC 5869) with a label of our own: this key opens nothing else that SECRET_KEY protects.
    material = HKDF(SHA256(), length=32, salt=None, info=b"latchkey webhook secrets").derive(secret_key.encode())
    return base64.urlsafe_b64encode(material)
