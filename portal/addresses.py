"""The address a request came from. Forwarded headers count only from as many proxies as are configured."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The caller's address, or None when the server names none (a Unix socket).

    With n trusted proxies the n-th entry of `X-Forwarded-For` from the right is the caller; anything further left is
    the caller's own claim.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if count := settings.TRUSTED_PROXY_COUNT:
        forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        if len(forwarded) >= count:
            address = forwarded[-count]
    return normalize_address(address)


def normalize_address(text: str) -> str | None:
    """`text` as an IPv4 or IPv6 address in its usual form, an IPv4-mapped one as IPv4; None if it is neither."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
