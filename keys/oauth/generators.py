"""Tokens in the portal's own form, so that scanners and logs know them; named in settings."""

from __future__ import annotations

from typing import Any

from keys import tokens


def access_token(request: Any, refresh_token: bool = False) -> str:
    """A new access token, `lk_oat_…`."""
    return tokens.generate(tokens.Kind.ACCESS).text


def refresh_token(request: Any, refresh_token: bool = True) -> str:
    """A new refresh token, `lk_ort_…`."""
    return tokens.generate(tokens.Kind.REFRESH).text
