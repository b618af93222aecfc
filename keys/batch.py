"""Many questions of one server in one request: what `verification.verify` does for one, for all at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from keys import answers, hotstore, tokens
from keys.limits import Limits, Permit
from keys.oauth.records import fetch_access
from keys.records import CredentialRecord, KeyRecord, fetch_keys, fetch_unchanged
from keys.unknown_ids import unknown_ids
from keys.usage.counter import Counted, counter
from keys.verdicts import Code
from keys.verification import Question, decide, parse_key, settle


@dataclass(slots=True)
class _Item:
    """A question on its way to a verdict."""

    question: Question
    token: tokens.Token | None
    wait: int = 0  # seconds, if too many unknown keys were tried to look this one up now
    record: KeyRecord | None = None
    code: Code | None = None  # None: not decided yet
    facts: dict[str, Any] = field(default_factory=dict)
    limits: Limits | None = None  # a permit is to be taken from these
    permit: Permit | None = None


def verify_many(
    server: CredentialRecord, credential: str, questions: list[Question], *, request_id: str = ""
) -> list[dict[str, Any]]:
    """A verdict for each of `questions`, in their order, for a server that authenticated with `credential`.

    What this thread has read and nobody has written since is not asked again. For the rest one round trip to Redis for
    all that is kept there, and one query; then one round trip for the permits. Raises DatabaseAway.
    """
    now = time.time()
    items = [_Item(question, parse_key(question.key)) for question in questions]
    for item in items:
        if item.token:
            item.wait = unknown_ids.refuse(credential, item.question.client_ip, item.token.id, now)
    asked = [item for item in items if not item.wait]
    if hotstore.keeps_records():  # else _ask_database does it
        _ask_unchanged(server, asked, now)
    miss = _ask_hot_store(server, _undecided(asked), now)
    records = _ask_database(server, credential, _undecided(asked), now)
    _take_permits([item for item in asked if item.limits is not None], miss, records)
    results: list[dict[str, Any]] = []
    counted: list[Counted] = []
    for item in items:
        if item.code is None:
            results.append(answers.refused_unseen(item.wait, request_id))
            continue
        decision = (item.record, item.code, item.facts)
        verdict, one = settle(server, decision, item.permit, item.question, now, request_id)
        results.append(verdict)
        counted.append(one)
    counter.count(server.server_id, counted, now=now)
    return results


def _undecided(items: list[_Item]) -> list[_Item]:
    return [item for item in items if item.code is None]


def _of_keys(items: list[_Item]) -> list[tuple[_Item, tokens.Token]]:
    """Those about keys, with their tokens. What is kept are keys' records: of access tokens the database tells."""
    return [(item, item.token) for item in items if item.token and item.token.kind in tokens.KEY_KINDS]


def _ask_unchanged(server: CredentialRecord, items: list[_Item], now: float) -> None:
    """Decide those whose rows this thread has, and that stand."""
    asked = _of_keys(items)
    standing = fetch_unchanged([token.id for _item, token in asked])
    for item, token in asked:
        record = standing.get(token.id)
        if record and _decide_by_kept(server, item, record, now) and item.code is Code.VALID:
            item.limits = record.limits


def _ask_hot_store(server: CredentialRecord, items: list[_Item], now: float) -> hotstore.Miss | None:
    """Decide those whose records are kept in Redis; a Miss for the others."""
    asked = _of_keys(items)
    found, miss = hotstore.ask_all(server.server_id, [token for _item, token in asked])
    refused: list[hotstore.Found] = []
    for (item, _token), hit in zip(asked, found, strict=True):
        if hit is None or not _decide_by_kept(server, item, hit.record, now):
            continue
        if item.code is not Code.VALID:
            refused.append(hit)
        elif hit.is_unasked:
            item.limits = hit.record.limits
        else:
            item.permit = hit.permit(now)
    hotstore.give_back(refused)
    return miss


def _decide_by_kept(server: CredentialRecord, item: _Item, record: KeyRecord, now: float) -> bool:
    """Decide `item`, but not that its secret is wrong: that costs what an unknown id costs, and time tells nothing."""
    code, facts = decide(server, record, item.token, item.question, now)
    if code is Code.NOT_FOUND:
        return False
    item.record, item.code, item.facts = record, code, facts
    return True


def _ask_database(server: CredentialRecord, credential: str, items: list[_Item], now: float) -> dict[str, KeyRecord]:
    """Decide `items` by what the database knows of them: these records, by id."""
    wanted = [item.token for item in items if item.token]
    records = fetch_keys({token.id for token in wanted if token.kind is not tokens.Kind.ACCESS})
    if by_oauth := {token.id for token in wanted if token.kind is tokens.Kind.ACCESS}:
        records |= fetch_access(by_oauth)
    for item in items:
        record = records.get(item.token.id) if item.token else None
        item.code, item.facts = decide(server, record, item.token, item.question, now)
        item.record = record
        if item.code is Code.NOT_FOUND:
            unknown_ids.note(credential, item.question.client_ip, now)
        elif record is not None and item.token is not None:
            unknown_ids.know(item.token.id)
            if item.code is Code.VALID:
                item.limits = record.limits
    return records


def _take_permits(items: list[_Item], miss: hotstore.Miss | None, records: dict[str, KeyRecord]) -> None:
    wanted = [(item.record.id, item.limits, 1) for item in items if item.record and item.limits]
    permits = iter(hotstore.keep_and_take(miss, {}, records, wanted) if miss else hotstore.take_all(wanted))
    for item in items:
        item.permit = next(permits)
