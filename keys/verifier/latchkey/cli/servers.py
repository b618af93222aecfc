"""`latchkey servers`, `snippet`, `verify` and `whoami`: MCP servers, and what they and their clients ask."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from latchkey.cli import output
from latchkey.cli.api import NOT_AUTHENTICATED, REFUSED, UNAVAILABLE, Api, CommandError, from_environment, url_of
from latchkey.cli.snippets import CLIENTS, variable
from latchkey.sync import Verifier


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the commands for MCP servers and for those that ask about a key."""
    servers = commands.add_parser("servers", parents=[common], help="the MCP servers that the company can use")
    servers.set_defaults(run=_servers)
    snippet = commands.add_parser("snippet", help="settings for an AI client")
    snippet.add_argument("client", choices=CLIENTS)
    snippet.add_argument("--server", required=True, help="name or id of the MCP server")
    snippet.set_defaults(run=_snippet)
    verify = commands.add_parser("verify", parents=[common], help="whether a key is good; asked as an MCP server")
    verify.add_argument("--tool")
    verify.add_argument("--client-ip")
    verify.add_argument("--key-file", metavar="FILE", help="read the key from FILE (- for standard input)")
    verify.set_defaults(run=_verify)
    whoami = commands.add_parser("whoami", parents=[common], help="who a key of the portal's own MCP server is")
    whoami.set_defaults(run=_whoami)


def _servers(asked: argparse.Namespace) -> None:
    rows = list(Api.of_company(url_of(asked)).pages("/api/v1/servers", {}))
    sys.stdout.write(
        (output.as_json(rows) if asked.json else output.table(rows, ("id", "name", "title", "url"))) + "\n"
    )


def _snippet(asked: argparse.Namespace) -> None:
    server = server_named(Api.of_company(url_of(asked)), asked.server)
    sys.stdout.write(CLIENTS[asked.client](server["name"], server["url"]) + "\n")
    if asked.client != "vscode":
        sys.stderr.write(f"Put the key into the environment variable {variable(server['name'])}.\n")


def _verify(asked: argparse.Namespace) -> int:
    credential = from_environment("LATCHKEY_CREDENTIAL", "the MCP server's credential (lk_srv_…)")
    if asked.key_file:
        key = (sys.stdin.read() if asked.key_file == "-" else _text_of(asked.key_file)).strip()
    else:
        key = from_environment("LATCHKEY_KEY", "the key to check, or use --key-file")
    try:
        with Verifier(url_of(asked), credential, cache=False, timeout=10) as verifier:
            verdict = verifier.verify(key, asked.tool, asked.client_ip, "latchkey-cli")
    except ValueError as error:
        raise CommandError(str(error), NOT_AUTHENTICATED) from None
    shown = {"valid": verdict.valid, "code": verdict.code, "message": verdict.message, "key_id": verdict.key_id}
    if verdict.valid:
        company, user = verdict.company, verdict.user
        shown |= {"company": company.name if company else "", "user": user.name if user else ""}
        shown |= {"scopes": list(verdict.scopes), "expires_at": verdict.expires_at and verdict.expires_at.isoformat()}
    shown = {name: value for name, value in shown.items() if value not in ("", None)}
    sys.stdout.write((output.as_json(shown) if asked.json else output.facts(shown)) + "\n")
    if verdict.status == 503:
        return UNAVAILABLE
    return 0 if verdict.valid else REFUSED


def _whoami(asked: argparse.Namespace) -> None:
    key = from_environment("LATCHKEY_KEY", "a key of the portal's own MCP server")
    answer = Api(url_of(asked), key).call("GET", "/api/v1/data/whoami")
    sys.stdout.write((output.as_json(answer) if asked.json else output.facts(answer)) + "\n")


def server_named(api: Api, wanted: str) -> dict[str, Any]:
    """The MCP server whose name or id is `wanted`. Raises CommandError."""
    for row in api.pages("/api/v1/servers", {}):
        if wanted in {row["id"], row["name"]}:
            return row
    raise CommandError(f'There is no MCP server "{wanted}" for this company; see `latchkey servers`.')


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
