"""Settings of the MCP server's process, from environment variables. docs/mcp-server.md has the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class ConfigError(Exception):
    """A setting is missing or wrong; the text names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the process needs to know. The server credential never shows in its `repr`."""

    portal_url: str
    public_url: str
    server_credential: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8080
    password_login: bool = True
    trusted_proxies: int = 0
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    max_body_bytes: int = 1024 * 1024
    production: bool = False
    log_level: str = "INFO"
    metrics_token: str = field(default="", repr=False)

    @property
    def mcp_url(self) -> str:
        """The OAuth resource identifier of `/mcp` (RFC 8707): no slash at its end."""
        return f"{self.public_url}/mcp"

    @property
    def protocol_url(self) -> str:
        """The address in GrowERP's published snippet."""
        return f"{self.public_url}/rest/s1/mcp/protocol"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Config:
        """The configuration that `environ` asks for. Raises ConfigError with one sentence."""
        production = _choice(environ, "LATCHKEY_ENV", "development", {"development", "production"}) == "production"
        port = _integer(environ, "MCP_PORT", 8080, least=1)
        credential = _text(environ, "LATCHKEY_SERVER_CREDENTIAL")
        if not credential:
            raise ConfigError(
                "LATCHKEY_SERVER_CREDENTIAL is not set: make a server credential for this MCP server on the portal's"
                " staff pages, and give it here or, as a file's path, in LATCHKEY_SERVER_CREDENTIAL_FILE."
            )
        return cls(
            portal_url=_origin(environ, "LATCHKEY_URL", "http://localhost:8000"),
            public_url=_origin(environ, "LATCHKEY_MCP_URL", f"http://localhost:{port}"),
            server_credential=credential,
            host=_text(environ, "MCP_HOST", "127.0.0.1"),
            port=port,
            password_login=_boolean(environ, "LATCHKEY_PASSWORD_LOGIN", not production),
            trusted_proxies=_integer(environ, "LATCHKEY_TRUSTED_PROXIES", 0),
            hosts=frozenset(_words(environ, "LATCHKEY_MCP_HOSTS")),
            origins=frozenset(_words(environ, "LATCHKEY_MCP_ORIGINS")),
            production=production,
            log_level=_text(environ, "LATCHKEY_LOG_LEVEL", "INFO").upper(),
            metrics_token=_text(environ, "LATCHKEY_METRICS_TOKEN"),
        )


def _text(environ: Mapping[str, str], name: str, default: str = "") -> str:
    if file := environ.get(f"{name}_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{name}_FILE points to {file}, which cannot be read: {error.strerror}.") from error
    return environ.get(name, "").strip() or default


def _choice(environ: Mapping[str, str], name: str, default: str, choices: set[str]) -> str:
    value = _text(environ, name, default)
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}: use {' or '.join(sorted(choices))}.")
    return value


def _boolean(environ: Mapping[str, str], name: str, default: bool) -> bool:
    value = _text(environ, name, "1" if default else "0").lower()
    if value not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        raise ConfigError(f"{name} is {value!r}: use 1 or 0.")
    return value in {"1", "true", "yes", "on"}


def _integer(environ: Mapping[str, str], name: str, default: int, least: int = 0) -> int:
    value = _text(environ, name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise ConfigError(f"{name} is {value!r}: use a whole number of at least {least}.")
    return int(value)


def _words(environ: Mapping[str, str], name: str) -> list[str]:
    return [word.strip() for word in _text(environ, name).split(",") if word.strip()]


def _origin(environ: Mapping[str, str], name: str, default: str) -> str:
    value = _text(environ, name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query or parts.fragment:
        raise ConfigError(f"{name} is {value!r}: use an origin such as https://mcp.example.com.")
    return value
