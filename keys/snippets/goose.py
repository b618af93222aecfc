"""Goose: `config.yaml`; it keeps secrets in the system's keyring under the names in `env_keys`."""

from __future__ import annotations

from urllib.parse import urlencode

from keys.snippets.parts import HEADER, Connection, Form, Link, Place, Snippet, quoted
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """`${VAR}` in headers; the link carries that form."""
    reference = f"${{{to.variable}}}"
    parameters = {
        "url": to.url,
        "type": "streamable_http",
        "id": to.name,
        "name": to.name,
        "description": to.name,
        "header": f"{HEADER}={reference}",
    }
    return Snippet(
        client="goose",
        name="Goose",
        places=(
            Place("~/.config/goose/config.yaml", _("macOS, Linux")),
            Place(r"%APPDATA%\Block\goose\config\config.yaml", _("Windows")),
        ),
        forms=(
            Form("environment", "yaml", _settings(to, reference, f"\n    env_keys: [{quoted(to.variable)}]")),
            Form("inline", "yaml", _settings(to, to.key)),
        ),
        links=(Link(_("Install in Goose"), f"goose://extension?{urlencode(parameters)}"),),
        next_step=_("Start a new session: the extension is listed with its tools."),
    )


def _settings(to: Connection, value: str, more: str = "") -> str:
    return (
        "extensions:\n"
        f"  {to.name}:\n"
        "    enabled: true\n"
        "    type: streamable_http\n"
        f"    name: {quoted(to.name)}\n"
        f"    uri: {quoted(to.url)}\n"
        "    headers:\n"
        f"      {HEADER}: {quoted(value)}"
        f"{more}\n"
        "    timeout: 300"
    )
