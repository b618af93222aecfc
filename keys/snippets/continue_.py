"""Continue: `config.yaml`; secrets stand in `~/.continue/.env`."""

from __future__ import annotations

from keys.snippets.parts import HEADER, Connection, Form, Place, Snippet, quoted
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """`${{ secrets.VAR }}` in headers."""
    return Snippet(
        client="continue",
        name="Continue",
        places=(
            Place("~/.continue/config.yaml", _("macOS, Linux")),
            Place(r"%USERPROFILE%\.continue\config.yaml", _("Windows")),
        ),
        forms=(
            Form("environment", "yaml", _settings(to, f"${{{{ secrets.{to.variable} }}}}")),
            Form("inline", "yaml", _settings(to, to.key)),
        ),
        next_step=_("Reload the window and use agent mode: the tools are listed there."),
        note=_("Continue reads the variable as a secret from the file .env beside config.yaml."),
    )


def _settings(to: Connection, value: str) -> str:
    return (
        "mcpServers:\n"
        f"  - name: {quoted(to.name)}\n"
        "    type: streamable-http\n"
        f"    url: {quoted(to.url)}\n"
        "    requestOptions:\n"
        "      headers:\n"
        f"        {HEADER}: {quoted(value)}"
    )
