"""`latchkey keys`: list, show, create, update, rotate, end-overlap, revoke."""

from __future__ import annotations

import argparse
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from latchkey.cli import output
from latchkey.cli.api import WRONG_ARGUMENTS, Api, CommandError, secret_in, url_of
from latchkey.cli.servers import server_named

_COLUMNS = ("id", "name", "state", "server", "scopes", "labels", "expires_at", "last_used_at")
_UNSAID: Any = object()  # a limit that was not given; None is that of the plan
_OVERLAPS = {"none": 0, "1h": 3600, "24h": 86_400, "7d": 604_800}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the commands for keys."""
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
    rows = list(Api.of_company(url_of(asked)).pages("/api/v1/keys", params))
    sys.stdout.write((output.as_json(rows) if asked.json else output.table(rows, _COLUMNS)) + "\n")


def _show(asked: argparse.Namespace) -> None:
    row = Api.of_company(url_of(asked)).call("GET", _path(asked.key_id))
    sys.stdout.write((output.as_json(row) if asked.json else output.facts(row)) + "\n")


def _create(asked: argparse.Namespace) -> None:
    api = Api.of_company(url_of(asked))
    server = server_named(api, asked.server)
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
    row = Api.of_company(url_of(asked)).call("PATCH", _path(asked.key_id), body)
    sys.stdout.write((output.as_json(row) if asked.json else output.facts(row)) + "\n")


def _rotate(asked: argparse.Namespace) -> None:
    api = Api.of_company(url_of(asked))
    body = {"overlap_seconds": _OVERLAPS[asked.overlap]}
    headers = {"Idempotency-Key": asked.idempotency_key or str(uuid.uuid4())}
    _show_once(asked, lambda: api.call("POST", _path(asked.key_id, "rotate"), body, headers=headers))


def _end_overlap(asked: argparse.Namespace) -> None:
    row = Api.of_company(url_of(asked)).call("POST", _path(asked.key_id, "end-overlap"))
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
    row = Api.of_company(url_of(asked)).call("POST", _path(asked.key_id, "revoke"), {"reason": asked.reason})
    sys.stdout.write((output.as_json(row) if asked.json else f"{asked.key_id} is revoked.") + "\n")


def _path(key_id: str, act: str = "") -> str:
    return f"/api/v1/keys/{quote(key_id, safe='')}" + (f"/{act}" if act else "")
