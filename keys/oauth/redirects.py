"""Where an authorization response may go: https, loopback, and the private schemes of known desktop clients. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# RFC 8252, section 7.1, as far as clients use them; anything else could be any program's or no program's at all.
PRIVATE_SCHEMES: Final = ("cursor", "vscode", "vscode-insiders", "windsurf", "zed", "goose")
SCHEMES: Final = ("https", "http", *PRIVATE_SCHEMES)


def is_allowed(uri: str) -> bool:
    """Whether `uri` can be registered and used: http only to this machine, no fragment, no user, nothing hidden."""
    if len(uri) > 2000 or not uri.isascii() or not uri.isprintable() or "#" in uri or "\\" in uri or " " in uri:
        return False
    try:
        parts = urlsplit(uri)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    # `;` and `,` end a directive or a policy in the header that `form_action` goes into; no host has any of these.
    if set(parts.netloc) & set("@;,'\"<>*"):
        return False
    if parts.scheme in PRIVATE_SCHEMES:
        return True
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))


def is_local(uri: str) -> bool:
    """Whether the answer goes to a program on the person's own machine, which any program there could catch."""
    parts = urlsplit(uri)
    return parts.scheme in PRIVATE_SCHEMES or parts.hostname in LOOPBACK


def destination(uri: str) -> str:
    """What a person is told of where the answer goes: the host, or the scheme of a desktop program."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://" if parts.scheme in PRIVATE_SCHEMES else parts.netloc


def form_action(uri: str) -> str:
    """The source expression that lets the consent form be answered with a redirect to `uri` (CSP form-action)."""
    parts = urlsplit(uri)
    if parts.scheme in PRIVATE_SCHEMES:
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc}"
