"""curl: a call without any AI client, to see that the key works."""

from __future__ import annotations

import json

from keys.snippets.parts import HEADER, Connection, Form, Snippet, quoted
from keys.snippets.parts import gettext_noop as _


def snippet(to: Connection) -> Snippet:
    """`tools/list` over Streamable HTTP."""
    return Snippet(
        client="curl",
        name="curl",
        places=(),
        forms=(
            Form("environment", "shell", _command(to, f"${to.variable}")),
            Form("inline", "shell", _command(to, to.key)),
        ),
        next_step=_("The answer lists the tools of the server. 401 means that the key is not accepted."),
    )


def _command(to: Connection, value: str) -> str:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    return (
        f"curl -s {quoted(to.url)} \\\n"
        f'  -H "{HEADER}: {value}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        '  -H "Accept: application/json, text/event-stream" \\\n'
        f"  -d '{body}'"
    )
