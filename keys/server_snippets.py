"""What an MCP server needs so that only good keys come in: text to paste, for Python and for anything else."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from keys.models import McpServer


@dataclass(frozen=True, slots=True)
class Protection:
    """One way to protect a server: its name as a tab shows it, and blocks of (title, text)."""

    slug: str
    name: str | Promise
    blocks: tuple[tuple[str, str], ...]


def protecting(server: McpServer, credential: str) -> list[Protection]:
    """The ways for `server`, the most usual first; `credential` stands where its environment is set."""
    portal, url = settings.PORTAL_URL, json.dumps(server.url)
    environment = f"export LATCHKEY_URL={portal}\nexport LATCHKEY_CREDENTIAL={credential}"
    verifier = 'verifier = AsyncVerifier(os.environ["LATCHKEY_URL"], os.environ["LATCHKEY_CREDENTIAL"])'
    shell = str(_("Environment"))
    sdk = f"""import os

from latchkey import AsyncVerifier
from latchkey.mcp import protect

{verifier}
app = protect(
    server.streamable_http_app(stateless_http=True),
    verifier,
    resource={url},
    portal=os.environ["LATCHKEY_URL"],
)"""
    asgi = f"""import os

from latchkey import AsyncVerifier
from latchkey.asgi import KeyMiddleware

{verifier}
app = KeyMiddleware(app, verifier, resource={url})"""
    curl = f"""curl -s {portal}/api/v1/keys/verify \\
  -H "Authorization: Bearer $LATCHKEY_CREDENTIAL" -H "Content-Type: application/json" \\
  -d '{{"key": "the key that the client sent", "tool": "the tool that it calls"}}'"""
    return [
        Protection(
            "sdk",
            _("Python MCP SDK"),
            ((shell, f'pip install "latchkey[mcp]"\n{environment}'), ("server.py", sdk)),
        ),
        Protection(
            "asgi",
            _("Starlette, FastAPI"),
            ((shell, f'pip install "latchkey[starlette]"\n{environment}'), ("app.py", asgi)),
        ),
        Protection("http", _("Any other language"), ((shell, environment), (str(_("Terminal")), curl))),
    ]
