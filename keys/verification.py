"""The hot path: is this key good for this? One look-up, one HMAC, one limit check, no write.

`verify` answers a server; `decide` is the pure core that OAuth's introspection shares.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from keys import addresses, answers, hotstore, scopes, tokens
from keys.limits import Permit
from keys.oauth.records import source_of
from keys.peppers import newest, peppers, redigests
from keys.records import CredentialRecord, KeyRecord, fetch
from keys.unknown_ids import unknown_ids
from keys.usage.counter import Counted, counter
from keys.verdicts import Code

# The record (None: there is none), the code for it, and facts for the answer.
Decision = tuple[KeyRecord | None, Code, dict[str, Any]]
_VIEWER = "viewer"
_ALL = f'["{scopes.ALL}"]'


@dataclass(frozen=True, slots=True)
class Question:
    """What a server asks: is `key` good for `tool` (None: at all) from `client_ip`? `client` names the AI client."""

    key: str
    tool: str | None = None
    client_ip: str | None = None
    client: str = ""


class NotAuthenticated(Exception):
    """The caller's own server credential is missing or not good. Says no more."""


def authenticate(credential: str, *, now: float | None = None) -> CredentialRecord:
    """The MCP server that `credential` belongs to. Raises NotAuthenticated, DatabaseAway."""
    token = _server_token(credential)
    record, _none = fetch(token.id, "")
    return _checked_credential(record, token, now or time.time())


def verify(credential: str, question: Question, *, request_id: str = "") -> dict[str, Any]:
    """The verdict on `question`, asked with `credential`, as the JSON of the verify API (keys/api/verify.py).

    Raises NotAuthenticated, DatabaseAway.
    """
    server_token = _server_token(credential)
    key_token = parse_key(question.key)
    now = time.time()
    found = hotstore.ask(server_token, key_token) if key_token and key_token.kind in tokens.KEY_KINDS else None
    if isinstance(found, hotstore.Hit):
        server, record = _checked_credential(found.credential, server_token, now), found.key.record
        code, facts = decide(server, record, key_token, question, now)
        if code is not Code.NOT_FOUND:
            permit = found.key.permit(now) if code is Code.VALID else None
            if code is not Code.VALID:
                hotstore.give_back([found.key])
            verdict, counted = settle(server, (record, code, facts), permit, question, now, request_id)
            counter.count(server.server_id, [counted], now=now)
            return verdict
        found = None  # a wrong secret costs the look-up that an unknown id costs: time tells nothing
    if key_token and (wait := unknown_ids.refuse(credential, question.client_ip, key_token.id, now)):
        return answers.refused_unseen(wait, request_id)
    credential_record, any_record = _fetch(server_token, key_token)
    server = _checked_credential(credential_record, server_token, now)
    code, facts = decide(server, any_record, key_token, question, now)
    permit = None
    if code is Code.NOT_FOUND:
        unknown_ids.note(credential, question.client_ip, now)
    elif any_record is not None:
        unknown_ids.know(key_token.id if key_token else "")
        wanted = [(any_record.id, any_record.limits, 1)] if code is Code.VALID else []
        if found is not None:
            permits = hotstore.keep_and_take(found, {server_token.id: server}, {any_record.id: any_record}, wanted)
        else:
            permits = hotstore.take_all(wanted)
        permit = permits[0] if permits else None
    verdict, counted = settle(server, (any_record, code, facts), permit, question, now, request_id)
    counter.count(server.server_id, [counted], now=now)
    return verdict


def kind_of(text: str) -> str:
    """What a good token is, for the one who asked: `key`, or `connection` for an access token that OAuth gave."""
    return "connection" if text.startswith("lk_oat_") else "key"


def _fetch(
    server_token: tokens.Token, key_token: tokens.Token | None
) -> tuple[CredentialRecord | None, KeyRecord | None]:
    if key_token is None:
        return fetch(server_token.id, "")
    return fetch(server_token.id, key_token.id, source_of(key_token))


def settle(
    server: CredentialRecord,
    decision: Decision,
    permit: Permit | None,
    question: Question,
    now: float,
    request_id: str,
) -> tuple[dict[str, Any], Counted]:
    """The verdict as JSON, and what is counted of it."""
    record, code, facts = decision
    if permit is not None and not permit.allowed:
        code = Code.RATE_LIMITED
    # Counted for no key where the one who asked does not hold it.
    known = None if code is Code.NOT_FOUND or code is Code.MALFORMED else record
    counted = (known, code, question.tool or "", question.client, question.client_ip or "")
    if code is not Code.VALID or record is None:
        return answers.refused(code, facts, permit, request_id), counted
    kind = kind_of(question.key)
    if kind == "key":  # an access token is over before its pepper is
        redigests.note("key", record.id, question.key, record.pepper, record.digest)
    return answers.valid(server, record, effective_scopes(record), permit, kind, now, request_id), counted


def decide(
    server: CredentialRecord, record: KeyRecord | None, token: tokens.Token | None, question: Question, now: float
) -> tuple[Code, dict[str, Any]]:
    """The code for `record`, the row found for `token` (both None if there is none), and facts for the answer.

    Whether an id is unknown or its secret wrong takes the same time and gives the same answer. A key of another server
    is WRONG_SERVER for the operator's servers and for those of the key's own company; any other asks about a stranger
    and learns nothing (NOT_FOUND).
    """
    if token is None:
        return Code.MALFORMED, {}
    stored, pepper = (record.digest, record.pepper) if record else (bytes(32), newest()[0])
    if not tokens.matches(token.text, stored, pepper, peppers()) or record is None:
        return Code.NOT_FOUND, {}
    if record.server_id != server.server_id:
        may_know = server.server_company_id in {None, record.company_id}
        return (Code.WRONG_SERVER if may_know else Code.NOT_FOUND), {}
    if record.revoked_at is not None or record.role is None or not record.user_active:
        return Code.REVOKED, {}
    ends_at = answers.ends_at(record)
    if ends_at is not None and ends_at <= now:
        return Code.EXPIRED, {}
    if record.company_state != "active":
        return Code.COMPANY_INACTIVE, {}
    if server.stopped_at is not None:
        return Code.COMPANY_INACTIVE, {"message": "The MCP server is stopped by its operator for now."}
    if record.allowed_ips != "[]" and not addresses.permits(orjson.loads(record.allowed_ips), question.client_ip):
        return Code.IP_DENIED, {}
    if question.tool is not None and scopes.ALL not in (granted := effective_scopes(record)):
        read_only = _read_only_tools(server.tools)
        beyond_role = record.role == _VIEWER and question.tool not in read_only
        if beyond_role or not scopes.allows(granted, question.tool, read_only):
            return Code.INSUFFICIENT_SCOPE, {"required_scope": scopes.required(question.tool, read_only)}
    return Code.VALID, {}


def effective_scopes(record: KeyRecord) -> list[str]:
    """What the key may do now: its scopes, within what the role of its user reaches today."""
    granted: list[str] = [scopes.ALL] if record.scopes == _ALL else orjson.loads(record.scopes)
    if record.role == _VIEWER and scopes.ALL in granted:
        return [scopes.READ]
    return granted


@lru_cache(maxsize=256)
def _read_only_tools(catalogue: str) -> frozenset[str]:
    return frozenset(tool["name"] for tool in orjson.loads(catalogue) if tool.get("read_only"))


def parse_key(text: str) -> tokens.Token | None:
    """`text` as a token that may open an MCP server; None if it is none."""
    try:
        token = tokens.parse(text)
    except tokens.MalformedToken:
        return None
    return token if token.kind in tokens.OPENING_KINDS else None


def _server_token(text: str) -> tokens.Token:
    try:
        token = tokens.parse(text)
    except tokens.MalformedToken:
        raise NotAuthenticated from None
    if token.kind is not tokens.Kind.SERVER:
        raise NotAuthenticated
    return token


def _checked_credential(record: CredentialRecord | None, token: tokens.Token, now: float) -> CredentialRecord:
    stored, pepper = (record.digest, record.pepper) if record else (bytes(32), newest()[0])
    matched = tokens.matches(token.text, stored, pepper, peppers())
    if not matched or record is None or record.revoked_at is not None or record.archived_at is not None:
        raise NotAuthenticated
    ends_at = answers.ends_at(record)
    if ends_at is not None and ends_at <= now:
        raise NotAuthenticated
    redigests.note("credential", token.id, token.text, record.pepper, record.digest)
    return record
