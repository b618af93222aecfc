"""What an MCP server needs so that only good keys come in: text to paste, for Python, TypeScript and anything else."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from keys.models import McpServer

# Node 18 and newer, Deno and Bun alike: no package is needed.
_TYPESCRIPT = """const resource = %(url)s;
const { origin, pathname } = new URL(resource);
const metadata = `${origin}/.well-known/oauth-protected-resource${pathname}`;

/** Null lets the request in; anything else is what to answer. Call it before every MCP request. */
export async function refusal(headers: Headers, tool?: string): Promise<Response | null> {
  const bearer = /^Bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  const key = headers.get("api_key") ?? bearer ?? headers.get("x-api-key");
  const challenge = `Bearer resource_metadata="${metadata}"`;
  if (!key) return new Response(null, { status: 401, headers: { "WWW-Authenticate": challenge } });
  const answer = await fetch(`${process.env.LATCHKEY_URL}/api/v1/keys/verify`, {
    method: "POST",
    headers: {
      "Authorization": `Bearer ${process.env.LATCHKEY_CREDENTIAL}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({ key, tool }),
    signal: AbortSignal.timeout(2000),
  }).catch(() => null);
  if (!answer?.ok) return new Response(null, { status: 503, headers: { "Retry-After": "5" } });
  const verdict = await answer.json();
  if (verdict.valid) return null;
  switch (verdict.code) {
    case "INSUFFICIENT_SCOPE":
      return new Response(verdict.message, {
        status: 403,
        headers: { "WWW-Authenticate": `${challenge}, error="insufficient_scope", scope="${verdict.required_scope}"` },
      });
    case "COMPANY_INACTIVE":
    case "IP_DENIED":
      return new Response(verdict.message, { status: 403 });
    case "RATE_LIMITED":
      return new Response(verdict.message, { status: 429, headers: { "Retry-After": `${verdict.retry_after}` } });
    default:
      return new Response(verdict.message, {
        status: 401,
        headers: { "WWW-Authenticate": `${challenge}, error="invalid_token"` },
      });
  }
}"""


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
    python = f"""import os

from latchkey import Verifier

verifier = Verifier(os.environ["LATCHKEY_URL"], os.environ["LATCHKEY_CREDENTIAL"])


def allowed(key: str, tool: str) -> bool:
    verdict = verifier.verify(key, tool=tool)
    return verdict.valid  # verdict.status and verdict.message say what to answer if not


# {server.url}: take the key from the header api_key, Authorization: Bearer or X-API-Key."""
    typescript = _TYPESCRIPT % {"url": url}
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
        Protection(
            "python",
            _("Python"),
            ((shell, f"pip install latchkey\n{environment}"), ("check.py", python)),
        ),
        Protection("typescript", "TypeScript", ((shell, environment), ("latchkey.ts", typescript))),
        Protection("http", _("Any other language"), ((shell, environment), (str(_("Terminal")), curl))),
    ]
