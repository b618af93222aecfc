"""A machine that proves who it is by a signature instead of a secret: `private_key_jwt` (RFC 7523, section 2.2)."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.urls import reverse
from jwcrypto import jwk, jws
from jwcrypto.common import JWException

from keys.oauth.models import Machine

KIND: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS: Final = ("ES256", "EdDSA", "PS256", "RS256")
LONGEST: Final = 300  # seconds that an assertion may live: it works once, and is remembered for that long
LEEWAY: Final = 30
MOST_LETTERS: Final = 4096


class UnusableKey(ValueError):
    """The text is no public key that can be used here. Says why, never what."""


def read_key(text: str) -> dict[str, Any]:
    """A public key from PEM or JWK, as a JWK. Raises UnusableKey, for a private key too: it must not be sent here."""
    text = text.strip()
    try:
        key = jwk.JWK.from_json(text) if text.startswith("{") else jwk.JWK.from_pem(text.encode())
    except (JWException, ValueError, TypeError):
        raise UnusableKey("form") from None
    if key.has_private or not key.has_public:
        raise UnusableKey("private")
    found: dict[str, Any] = key.export_public(as_dict=True)
    kind = found.get("kty")
    good = (
        (kind == "EC" and found.get("crv") == "P-256")
        or (kind == "OKP" and found.get("crv") == "Ed25519")
        or (kind == "RSA" and len(found.get("n", "")) >= 340)  # 2048 bits and more
    )
    if not good:
        raise UnusableKey("kind")
    return {name: value for name, value in found.items() if name in {"kty", "crv", "x", "y", "n", "e"}}


def client_of(kind: str, assertion: str) -> Any:
    """The machine's client that signed `assertion` for this portal just now and for the first time; else None."""
    if kind != KIND or len(assertion) > MOST_LETTERS:
        return None
    token = jws.JWS()
    token.allowed_algs = list(ALGORITHMS)
    try:
        token.deserialize(assertion)
        claims = json.loads(token.objects["payload"])
        client_id = claims["sub"]
        machine = Machine.objects.select_related("connection__client").filter(
            method=Machine.Method.KEY, connection__revoked_at=None, connection__client__client_id=client_id
        ).first()  # fmt: skip
        if machine is None:
            return None
        token.verify(jwk.JWK(**machine.public_key))
    except (JWException, ValueError, KeyError, TypeError, RecursionError):
        return None
    return machine.connection.client if _is_for_us(claims, str(client_id)) and _is_first(client_id, claims) else None


def _is_for_us(claims: dict[str, Any], client_id: str) -> bool:
    audience, now = claims.get("aud"), time.time()
    ours = {settings.PORTAL_URL, settings.PORTAL_URL + reverse("oauth:token")}
    ends, begins = claims.get("exp"), claims.get("nbf", 0)
    audiences = audience if isinstance(audience, list) else [audience]
    return (
        claims.get("iss") == client_id
        and len(audiences) == 1  # one that is for others too could be used here by them
        and audiences[0] in ours
        and isinstance(ends, int | float)
        and isinstance(begins, int | float)
        and now - LEEWAY < ends <= now + LONGEST + LEEWAY
        and begins <= now + LEEWAY
    )


def _is_first(client_id: str, claims: dict[str, Any]) -> bool:
    """Whether this assertion was not used before: it names itself by `jti`."""
    name = claims.get("jti")
    if not isinstance(name, str) or not 1 <= len(name) <= 200:
        return False
    digest = hashlib.sha256(f"{client_id} {name}".encode()).hexdigest()
    return bool(cache.add(f"oauth-assertion:{digest}", 1, LONGEST + 2 * LEEWAY))
