"""Between Django and oauthlib: authorization and device codes are known by their SHA-256 only, from here inwards."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest
from oauth2_provider.oauth2_backends import OAuthLibCore, get_oauthlib_core


def code_digest(code: str) -> str:
    """What is stored of an authorization code or a device code."""
    return hashlib.sha256(code.encode()).hexdigest()


class Backend(OAuthLibCore):
    """django-oauth-toolkit's, with the code of a token request replaced by its digest."""

    def extract_body(self, request: HttpRequest) -> list[tuple[str, str]]:
        """The form's parameters; a code is hashed before anything can store or log it."""
        return [
            (name, code_digest(value) if name in {"code", "device_code"} else value)
            for name, value in super().extract_body(request)
        ]


def core() -> Any:
    """oauthlib's server with our validator, as settings name them."""
    return get_oauthlib_core()
