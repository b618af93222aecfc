"""Asking the hot store, and keeping what the database said."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

import orjson
from django.db import connection as database

from keys import tokens
from keys.hotstore import connection, permits, scripts
from keys.hotstore.connection import RedisAway
from keys.hotstore.permits import Wanted
from keys.limits import Limits, Permit
from keys.peppers import peppers
from keys.records import CredentialRecord, KeyRecord
from portal import metrics

TTL_SECONDS: Final = 2
LEASE_SECONDS: Final = 1
# On SQLite each process keeps the rows that it read while nobody wrote (keys/unchanged.py): that costs less than a
# round trip, and needs nothing to be forgotten. Redis has the limits alone then.
KEPT_FOR = {"postgresql"}
_NEVER: Final = 2**53 - 1


def keeps_records() -> bool:
    """Whether records are kept here at all, for the database that there is."""
    return _vendor() in KEPT_FOR


@cache
def _vendor() -> str:
    return database.vendor


class Found(NamedTuple):
    """A key's record that was there. A permit was taken if its secret matches and it is in force where it was asked."""

    record: KeyRecord
    state: int
    left: float
    used: int

    @property
    def is_unasked(self) -> bool:
        """Whether the key's limits could not be asked: the month's count is not known, or they are new."""
        return self.state == permits.UNKNOWN or (
            self.state == permits.NO_LIMIT and self.record.limits != Limits(None, None)
        )

    @property
    def is_taken(self) -> bool:
        """Whether a permit was taken."""
        return self.state == permits.TAKEN

    def permit(self, now: float) -> Permit | None:
        """What became of the permit; None if the key has no limit."""
        if self.is_unasked:
            return permits.take_all([(self.record.id, self.record.limits, 1)])[0]
        return permits.permit(self.record.limits, self.state, self.left, self.used, 1, now)


class Hit(NamedTuple):
    """Both records were there. A permit was taken if the credential's secret matches and it is in force, too."""

    credential: CredentialRecord
    key: Found


class Miss(NamedTuple):
    """Something was not there: the database is asked, and what it answers may be kept under these leases."""

    prefix: bytes
    generation: bytes
    leases: dict[bytes, bytes]  # by name: `k:` or `c:` and an id


def ask(credential: tokens.Token, key: tokens.Token) -> Hit | Miss | None:
    """The records of `credential` and `key` with a permit, in one round trip. None: no Redis, or it is away."""
    redis = connection.usable() if keeps_records() else None
    if redis is None:
        metrics.add("latchkey_hotstore_lookups_total", "off")
        return None
    prefix = redis.prefix
    ours, theirs = b"c:" + credential.id.encode(), b"k:" + key.id.encode()
    bucket, month = permits.bucket_names(prefix, key.id, time.time())
    digests = _digests(credential.text)
    command = (
        "EVALSHA", scripts.ASK, 7, prefix + b"g", prefix + ours, prefix + theirs, prefix + b"l" + ours,
        prefix + b"l" + theirs, bucket, month,
        redis.unique(), LEASE_SECONDS * 1000, len(digests), *digests, *_digests(key.text),
    )  # fmt: skip
    try:
        answer = redis.send(command)[0]
    except RedisAway:
        connection.failed()
        metrics.add("latchkey_hotstore_lookups_total", "off")
        return None
    metrics.add("latchkey_hotstore_lookups_total", "hit" if answer[0] == 1 else "miss")
    if answer[0] == 1:
        found = Found(_key(answer[2]), answer[3], answer[4] / permits.MILLION, answer[5])
        return Hit(_credential(answer[1]), found)
    return Miss(prefix, answer[1], {ours: answer[2], theirs: answer[3]})


def ask_all(server_id: str, asked: Sequence[tokens.Token]) -> tuple[list[Found | None], Miss | None]:
    """The records of keys with a permit for each that is good on this server, in one round trip.

    For each of `asked` what was found, and a Miss for those that were not. No Redis, or it is away: none, and no Miss.
    """
    redis = connection.usable() if asked and keeps_records() else None
    if redis is None:
        metrics.add("latchkey_hotstore_lookups_total", "off", by=len(asked))
        return [None] * len(asked), None
    prefix, now = redis.prefix, time.time()
    names: list[bytes] = []
    digests: list[str] = []
    for token in asked:
        name = b"k:" + token.id.encode()
        names += (prefix + name, prefix + b"l" + name, *permits.bucket_names(prefix, token.id, now))
        digests += _digests(token.text)
    command = (
        "EVALSHA", scripts.ASK_ALL, 1 + len(names), prefix + b"g", *names,
        redis.unique(), LEASE_SECONDS * 1000, server_id, len(peppers()), *digests,
    )  # fmt: skip
    try:
        generation, *answers = redis.send(command)[0]
    except RedisAway:
        connection.failed()
        metrics.add("latchkey_hotstore_lookups_total", "off", by=len(asked))
        return [None] * len(asked), None
    found = [
        Found(_key(answer[0]), answer[1], answer[2] / permits.MILLION, answer[3]) if isinstance(answer, list) else None
        for answer in answers
    ]
    leases = {
        b"k:" + token.id.encode(): answer
        for token, answer in zip(asked, answers, strict=True)
        if not isinstance(answer, list)
    }
    metrics.add("latchkey_hotstore_lookups_total", "hit", by=len(asked) - found.count(None))
    metrics.add("latchkey_hotstore_lookups_total", "miss", by=found.count(None))
    return found, Miss(prefix, generation, leases) if leases else None


def keep_and_take(
    miss: Miss,
    credentials: Mapping[str, CredentialRecord],
    records: Mapping[str, KeyRecord],
    wanted: Sequence[Wanted],
) -> list[Permit | None]:
    """Keep what the database said after `miss`, by id, and take permits as `take_all` does, in one round trip."""
    kept: dict[bytes, tuple[Any, ...]] = {}
    for credential_id, credential in credentials.items():
        kept[b"c:" + credential_id.encode()] = (
            f"{credential.pepper}:{credential.digest.hex()}", _credential_end(credential), credential.server_id,
            _dumped(credential), "", "",
        )  # fmt: skip
    for key_id, record in records.items():
        kept[b"k:" + key_id.encode()] = (
            f"{record.pepper}:{record.digest.hex()}", _key_end(record), record.server_id,
            _dumped(record), *permits.limit_texts(record.limits),
        )  # fmt: skip
    names: list[bytes] = []
    arguments: list[Any] = []
    for name in kept.keys() & miss.leases.keys():
        names += (miss.prefix + name, miss.prefix + b"l" + name)
        arguments += (miss.leases[name], *kept[name])
    # After a new run of Redis the generation is gone, and nothing is kept.
    command = (
        "EVALSHA", scripts.KEEP, 1 + len(names), miss.prefix + b"g", *names,
        miss.generation, LEASE_SECONDS * 1000, TTL_SECONDS * 1000, *arguments,
    )  # fmt: skip
    return permits.take_all(wanted, along=(command,) if names else ())


def give_back(taken: Iterable[Found]) -> None:
    """Return the permits that were taken for what was refused after all."""
    redis = connection.usable()
    now = time.time()
    if redis is None or not (taken := [found for found in taken if found.is_taken]):
        return
    try:
        redis.send(
            *[
                ("EVALSHA", scripts.RETURN, 2, *permits.bucket_names(redis.prefix, found.record.id, now),
                 permits.limit_texts(found.record.limits)[0])
                for found in taken
            ]
        )  # fmt: skip
    except RedisAway:
        connection.failed()


def _digests(text: str) -> list[str]:
    """The digest of a token under every pepper, as the script compares them."""
    return [f"{name}:{tokens.digest(text, pepper).hex()}" for name, pepper in peppers().items()]


def _credential_end(credential: CredentialRecord) -> int:
    """Until when the credential is in force, microseconds; 0 if it is not."""
    if credential.revoked_at is not None or credential.stopped_at is not None:
        return 0
    return _earliest(credential.expires_at, credential.overlap_ends_at)


def _key_end(record: KeyRecord) -> int:
    """Until when the key is in force, microseconds; 0 if it is not."""
    if record.revoked_at is not None or record.role is None or not record.user_active:
        return 0
    if record.company_state != "active":
        return 0
    return _earliest(record.expires_at, record.overlap_ends_at)


def _earliest(*moments: float | None) -> int:
    return min((int(moment * 1_000_000) for moment in moments if moment is not None), default=_NEVER)


def _dumped(record: CredentialRecord | KeyRecord) -> bytes:
    return orjson.dumps([part.hex() if isinstance(part, bytes) else part for part in record])


@lru_cache(maxsize=1024)
def _credential(text: bytes) -> CredentialRecord:
    digest, *rest = orjson.loads(text)
    return CredentialRecord(bytes.fromhex(digest), *rest)


@lru_cache(maxsize=16384)
def _key(text: bytes) -> KeyRecord:
    identifier, digest, *rest = orjson.loads(text)
    return KeyRecord(identifier, bytes.fromhex(digest), *rest)
