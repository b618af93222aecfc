"""Readers of the process environment. A wrong value stops the start with a sentence that names the variable."""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """The variable `name`, or the content of the file that `name_FILE` points to (as Docker secrets do)."""
    file = os.environ.get(f"{name}_FILE")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE points to {file}, which cannot be read: {error}") from error
    return os.environ.get(name, default).strip()


def boolean(name: str, default: bool) -> bool:
    """`name` as yes or no: 1/true/yes/on or 0/false/no/off."""
    value = text(name, "1" if default else "0").lower()
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} is {value!r}: use 1 or 0.")
    return value in TRUE


def integer(name: str, default: int, least: int = 0) -> int:
    """`name` as a whole number of at least `least`."""
    value = text(name) or str(default)
    if not value.isdigit() or int(value) < least:
        raise ImproperlyConfigured(f"{name} is {value!r}: use a whole number of at least {least}.")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    """`name` as a list, split at commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """`name` as addresses and CIDR ranges, split at commas."""
    found = []
    for word in words(name):
        try:
            found.append(ip_network(word))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} has {word!r}: use ranges such as 203.0.113.0/24.") from error
    return found


def origin(name: str, default: str) -> str:
    """`name` as an origin: scheme, host and port, with no path and no slash at its end."""
    value = text(name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
        raise ImproperlyConfigured(f"{name} is {value!r}: use an origin such as https://keys.example.com.")
    return value


def database(name: str, default: str) -> dict[str, Any]:
    """`name` as a database URL (`postgres://user:password@host:port/name?sslmode=require` or `sqlite:///path`)."""
    parts = urlsplit(text(name, default))
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
            },
            # A file, so that tests with several threads meet the locking that the product meets.
            "TEST": {"NAME": f"{unquote(parts.path)}.test-{os.getpid()}"},
        }
    if parts.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "OPTIONS": {"connect_timeout": "5"} | dict(parse_qsl(parts.query)),
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
        }
    raise ImproperlyConfigured(f"{name} must begin with postgres:// or sqlite:///.")


def peppers(value: str) -> dict[str, bytes]:
    """`value`, such as `b:<base64>,a:<base64>`, as pepper id → at least 32 bytes; the first makes new digests."""
    found: dict[str, bytes] = {}
    for item in filter(None, (part.strip() for part in value.split(","))):
        identifier, _, encoded = item.partition(":")
        try:
            pepper = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            pepper = b""
        if not identifier or len(identifier) > 16 or len(pepper) < 32:
            raise ImproperlyConfigured(
                "LATCHKEY_PEPPERS must be a list of id:base64 with at least 32 bytes each; "
                'make one with: echo "a:$(openssl rand -base64 32)"'
            )
        found[identifier] = pepper
    return found


def development_secrets(folder: Path) -> dict[str, str]:
    """Secrets of a development run, made once and kept in `folder`/secrets.json (mode 0600).

    Never a value from the source code: a development portal that is reachable from elsewhere is then no open door.
    """
    path = folder / "secrets.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        pass
    made = {
        "secret_key": secrets.token_urlsafe(50),
        "peppers": "dev:" + base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"secrets.{os.getpid()}.tmp"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(made, file)
    try:
        os.link(draft, path)  # fails when another process was first: its secrets then count
    except FileExistsError:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    finally:
        draft.unlink()
    return made
