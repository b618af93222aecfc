"""`latchkey`: its commands and their arguments.

Exit codes: 0 done, or the key is good; 1 refused, or the key is not good; 2 wrong arguments; 3 no token, or one that
may not do this; 4 the portal does not answer.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from latchkey.cli import output, scan
from latchkey.cli.api import (
    NOT_AUTHENTICATED,
    REFUSED,
    UNAVAILABLE,
    WRONG_ARGUMENTS,
    Api,
    CommandError,
    from_environment,
    secret_in,
)
from latchkey.cli.snippets import CLIENTS, variable
from latchkey.sync import Verifier
from latchkey.version import __version__

_COLUMNS = ("id", "name", "state", "server", "scopes", "labels", "expires_at", "last_used_at")
_UNSAID: Any = object()  # a limit that was not given; None is that of the plan
_OVERLAPS = {"none": 0, "1h": 3600, "24h": 86_400, "7d": 604_800}
_ENVIRONMENT = """environment:
  LATCHKEY_URL         the portal's address, such as https://portal.example.com
  LATCHKEY_TOKEN       the company's management token (lk_mgt_…): for keys, servers and snippet
  LATCHKEY_CREDENTIAL  an MCP server's credential (lk_srv_…): for verify
  LATCHKEY_KEY         a key (lk_live_… or lk_test_…): for verify and whoami

exit codes: 0 done; 1 refused or not good; 2 wrong arguments; 3 no token or not allowed; 4 the portal does not answer
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked) or 0)
    except CommandError as error:
        sys.stderr.write(f"latchkey: {error.message}\n")
        return error.code
    except BrokenPipeError:
        # The reader (head, grep -q) has what it wanted; nothing more can be said to it, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="latchkey",
        description="Manage a company's API keys, and check keys.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"latchkey {__version__}")
    parser.add_argument("--url", default=os.environ.get("LATCHKEY_URL", ""), help="the portal's address")
    commands = parser.add_subparsers(required=True, metavar="command")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON")
    secret = argparse.ArgumentParser(add_help=False)
    secret.add_argument("--output", metavar="FILE", help="write the new key into FILE (mode 0600), not to the screen")

    keys = commands.add_parser("keys", help="list, show, create, update, rotate, end-overlap, revoke").add_subparsers(
        required=True, metavar="action"
    )
    listing = keys.add_parser("list", parents=[common], help="the company's keys")
    listing.add_argument("--state", choices=["active", "rotating", "expired", "revoked"])
    listing.add_argument("--label", help="only keys with this label")
    listing.set_defaults(run=_list)
    show = keys.add_parser("show", parents=[common], help="one key")
    show.add_argument("key_id")
    show.set_defaults(run=_show)
    create = keys.add_parser("create", parents=[common, secret], help="make a key; it is shown once")
    create.add_argument("--name", required=True)
    create.add_argument("--server", required=True, help="name or id of the MCP server")
    create.add_argument("--scope", action="append", required=True, help="tools:read, tools:*, tool:NAME; repeatable")
    create.add_argument("--expires", type=_days, required=True, metavar="DAYS", help='a number of days, or "never"')
    create.add_argument("--allow-ip", action="append", default=[], metavar="CIDR", help="repeatable; default: any")
    create.add_argument("--label", action="append", default=[], help="a word to find it by; repeatable, up to 5")
    _add_limits(create)
    create.add_argument("--idempotency-key", help="the same value makes no second key when a job is run again")
    create.set_defaults(run=_create)
    update = keys.add_parser("update", parents=[common], help="change what is given; the rest stays")
    update.add_argument("key_id")
    update.add_argument("--name")
    update.add_argument("--scope", action="append", help="in place of all it has; repeatable")
    update.add_argument(
        "--allow-ip", action="append", metavar="CIDR", help='in place of all it has; repeatable; "any": from everywhere'
    )
    update.add_argument("--label", action="append", help='in place of all it has; repeatable; "": none')
    _add_limits(update)
    update.set_defaults(run=_update)
    rotate = keys.add_parser("rotate", parents=[common, secret], help="make a new value; it is shown once")
    rotate.add_argument("key_id")
    rotate.add_argument("--overlap", choices=_OVERLAPS, default="24h", help="how long the old value is still accepted")
    rotate.add_argument("--idempotency-key", help="the same value rotates no second time when a job is run again")
    rotate.set_defaults(run=_rotate)
    end = keys.add_parser("end-overlap", parents=[common], help="stop accepting the old value of a rotated key now")
    end.add_argument("key_id", help="that of the old value")
    end.set_defaults(run=_end_overlap)
    revoke = keys.add_parser("revoke", parents=[common], help="refuse a key from now on")
    revoke.add_argument("key_id")
    revoke.add_argument("--reason", required=True)
    revoke.set_defaults(run=_revoke)

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
    scan.add_to(commands, common)
    return parser


def _add_limits(command: argparse.ArgumentParser) -> None:
    for name, words in (("per-minute", "calls a minute"), ("per-month", "calls a month")):
        command.add_argument(
            f"--{name}",
            type=_limit,
            default=_UNSAID,
            metavar="NUMBER",
            help=f'{words}, or "plan": the limit of the plan',
        )


def _limit(text: str) -> int | None:
    if text == "plan":
        return None
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError('use a whole number from 1, or "plan"')
    return int(text)


def _limits(asked: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(asked, name) for name in ("per_minute", "per_month")}
    return {name: value for name, value in given.items() if value is not _UNSAID}


def _days(text: str) -> int | None:
    if text == "never":
        return None
    if not text.isdigit() or not 1 <= int(text) <= 3650:
        raise argparse.ArgumentTypeError('use a number of days from 1 to 3650, or "never"')
    return int(text)


def _list(asked: argparse.Namespace) -> None:
    params = {name: value for name in ("state", "label") if (value := getattr(asked, name))}
    rows = list(Api.of_company(_url(asked)).pages("/api/v1/keys", params))
    sys.stdout.write((output.as_json(rows) if asked.json else output.table(rows, _COLUMNS)) + "\n")


def _show(asked: argparse.Namespace) -> None:
    row = Api.of_company(_url(asked)).call("GET", _path(asked.key_id))
    sys.stdout.write((output.as_json(row) if asked.json else output.facts(row)) + "\n")


def _create(asked: argparse.Namespace) -> None:
    api = Api.of_company(_url(asked))
    server = _server(api, asked.server)
    expires_at = None
    if asked.expires is not None:
        expires_at = (datetime.now(UTC) + timedelta(days=asked.expires)).isoformat(timespec="seconds")
    body = {
        "name": asked.name,
        "server": server["id"],
        "scopes": asked.scope,
        "expires_at": expires_at,
        "allowed_ips": asked.allow_ip,
        **_limits(asked),
    }
    if asked.label:
        body["labels"] = asked.label
    headers = {"Idempotency-Key": asked.idempotency_key or str(uuid.uuid4())}
    _show_once(asked, lambda: api.call("POST", "/api/v1/keys", body, headers=headers))


def _update(asked: argparse.Namespace) -> None:
    given = {
        "name": asked.name,
        "scopes": asked.scope,
        "allowed_ips": [] if asked.allow_ip == ["any"] else asked.allow_ip,
        "labels": [] if asked.label == [""] else asked.label,
    }
    body = {name: value for name, value in given.items() if value is not None} | _limits(asked)
    if not body:
        raise CommandError("Say what to change; see `latchkey keys update --help`.", WRONG_ARGUMENTS)
    row = Api.of_company(_url(asked)).call("PATCH", _path(asked.key_id), body)
    sys.stdout.write((output.as_json(row) if asked.json else output.facts(row)) + "\n")


def _rotate(asked: argparse.Namespace) -> None:
    api = Api.of_company(_url(asked))
    body = {"overlap_seconds": _OVERLAPS[asked.overlap]}
    headers = {"Idempotency-Key": asked.idempotency_key or str(uuid.uuid4())}
    _show_once(asked, lambda: api.call("POST", _path(asked.key_id, "rotate"), body, headers=headers))


def _end_overlap(asked: argparse.Namespace) -> None:
    row = Api.of_company(_url(asked)).call("POST", _path(asked.key_id, "end-overlap"))
    sys.stdout.write((output.as_json(row) if asked.json else f"{asked.key_id} is not accepted any more.") + "\n")


def _show_once(asked: argparse.Namespace, act: Any) -> None:
    if asked.output:
        output.reserve(asked.output)
    try:
        answer = act()
        secret = secret_in(answer)
    except CommandError:
        if asked.output:
            Path(asked.output).unlink()
        raise
    if asked.output:
        output.hand_over(secret, asked.output)
        answer = {name: value for name, value in answer.items() if value != secret}
    if asked.json:
        sys.stdout.write(output.as_json(answer) + "\n")
    elif not asked.output:
        output.hand_over(secret, None)


def _revoke(asked: argparse.Namespace) -> None:
    row = Api.of_company(_url(asked)).call("POST", _path(asked.key_id, "revoke"), {"reason": asked.reason})
    sys.stdout.write((output.as_json(row) if asked.json else f"{asked.key_id} is revoked.") + "\n")


def _servers(asked: argparse.Namespace) -> None:
    rows = list(Api.of_company(_url(asked)).pages("/api/v1/servers", {}))
    sys.stdout.write(
        (output.as_json(rows) if asked.json else output.table(rows, ("id", "name", "title", "url"))) + "\n"
    )


def _snippet(asked: argparse.Namespace) -> None:
    server = _server(Api.of_company(_url(asked)), asked.server)
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
        with Verifier(_url(asked), credential, cache=False, timeout=10) as verifier:
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
    answer = Api(_url(asked), key).call("GET", "/api/v1/data/whoami")
    sys.stdout.write((output.as_json(answer) if asked.json else output.facts(answer)) + "\n")


def _url(asked: argparse.Namespace) -> str:
    if not asked.url:
        raise CommandError("Set LATCHKEY_URL to the portal's address, or use --url.", NOT_AUTHENTICATED)
    return str(asked.url)


def _path(key_id: str, act: str = "") -> str:
    return f"/api/v1/keys/{quote(key_id, safe='')}" + (f"/{act}" if act else "")


def _server(api: Api, wanted: str) -> dict[str, Any]:
    for row in api.pages("/api/v1/servers", {}):
        if wanted in {row["id"], row["name"]}:
            return row
    raise CommandError(f'There is no MCP server "{wanted}" for this company; see `latchkey servers`.')


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
