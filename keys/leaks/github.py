"""Whether a report really comes from GitHub: ECDSA P-256 with SHA-256 over the raw body.

The public keys are configured (LATCHKEY_GITHUB_KEYS) or fetched from LATCHKEY_GITHUB_KEYS_URL and kept for a day. An id
that is not among them has them fetched again, at most once a minute: whoever sends made-up ids causes no flood.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from typing import Any, Final

import httpcore
import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings
from django.core.cache import cache

from keys.webhooks import outgoing
from keys.webhooks.errors import AddressUnusable

log = logging.getLogger(__name__)

KEPT_SECONDS: Final = 24 * 3600
ASKED_EVERY_SECONDS: Final = 60
LARGEST_LIST: Final = 64 * 1024
TIMEOUT: Final = 5.0
MOST_KEYS: Final = 50
_CACHED: Final = "leaks:github-keys"
_ASKED: Final = "leaks:github-keys-asked"
_PEM: Final = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_is_key_id = re.compile(r"[0-9A-Za-z_.:-]{1,128}").fullmatch


def is_set_up() -> bool:
    """Whether there is anything to verify a report with."""
    return bool(settings.GITHUB_KEYS or settings.GITHUB_KEYS_URL)


def is_genuine(body: bytes, key_id: str, signature: str) -> bool:
    """Whether `signature` (base64, DER) over `body` was made by the key `key_id`."""
    if not _is_key_id(key_id) or len(signature) > 512:
        return False
    try:
        decoded = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(_verifies(pem, body, decoded) for pem in _keys(key_id))


def configured(text: str) -> dict[str, str]:
    """The keys of `text`: GitHub's own JSON, by id; or PEM blocks, which answer to every id."""
    if text.lstrip().startswith("{"):
        return _listed(text.encode())
    return {f"#{place}": pem for place, pem in enumerate(_PEM.findall(text))}


def _keys(key_id: str) -> list[str]:
    own = configured(settings.GITHUB_KEYS) if settings.GITHUB_KEYS else {}
    if own:
        named = own.get(key_id)
        return [named] if named else [pem for name, pem in own.items() if name.startswith("#")]
    if not settings.GITHUB_KEYS_URL:
        return []
    known: dict[str, str] = cache.get(_CACHED) or {}
    if key_id not in known and cache.add(_ASKED, 1, ASKED_EVERY_SECONDS):
        fetched = _fetched()
        if fetched:
            known = fetched
            cache.set(_CACHED, known, KEPT_SECONDS)
    return [known[key_id]] if key_id in known else []


def _fetched() -> dict[str, str]:
    try:
        answer = outgoing.send(
            "GET",
            settings.GITHUB_KEYS_URL,
            headers={"Accept": "application/json", "User-Agent": f"Latchkey/{settings.VERSION}"},
            private_allowed=not settings.PRODUCTION,
            timeout=TIMEOUT,
            largest=LARGEST_LIST,
        )
    except (
        AddressUnusable, outgoing.AddressRefused, outgoing.UnknownHost, outgoing.HandshakeFailed,
        httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError,
    ) as error:  # fmt: skip
        log.warning("GitHub's keys could not be fetched: %s", type(error).__name__)
        return {}
    if answer.status != 200:
        log.warning("GitHub's keys could not be fetched: the answer was %s", answer.status)
        return {}
    return _listed(answer.body)


def _listed(body: bytes) -> dict[str, str]:
    try:
        rows: Any = orjson.loads(body)["public_keys"]
        return {str(row["key_identifier"]): str(row["key"]) for row in rows[:MOST_KEYS]}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        log.warning("the list of GitHub's keys was not understood")
        return {}


def _verifies(pem: str, body: bytes, signature: bytes) -> bool:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        return False
    try:
        key.verify(signature, body, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
