"""Zed: `context_servers` of settings.json. Without an Authorization header it starts a sign-in, so that one is used."""

from __future__ import annotations

from keys.snippets.parts import Connection, Form, Place, Snippet, as_json
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """Zed documents no variables in headers: the key stands in the file."""
    server = {"url": to.url, "headers": {"Authorization": f"Bearer {to.key}"}}
    return Snippet(
        client="zed",
        name="Zed",
        places=(
            Place("~/.config/zed/settings.json", _("macOS, Linux")),
            Place(r"%APPDATA%\Zed\settings.json", _("Windows")),
        ),
        forms=(Form("inline", "json", as_json({"context_servers": {to.name: server}})),),
        next_step=_("Save the file. A green dot beside the server in the agent settings means that it is connected."),
    )
