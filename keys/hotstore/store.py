"""Asking the hot store, keeping what the database said, and taking permits."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

import orjson
from django.conf import settings
from django.db import connection as database

from keys import tokens
from keys.hotstore import connection, scripts
from keys.hotstore.connection import Connection, RedisAway
from keys.limits import Limits, Permit, limiter, limits_of, month_ends, month_of, permit_of
from keys.records import CredentialRecord, KeyRecord
from portal import metrics

TTL_SECONDS: Final = 2
LEASE_SECONDS: Final = 1
# The month's count is read from the database again now and then: it is then right again after Redis was away.
MONTH_SECONDS: Final = 3600
# On SQLite each process keeps the rows that it read while nobody wrote (keys/records.py): that costs less than a round
# trip, and needs nothing to be forgotten. Redis has the limits alone then.
KEPT_FOR = {"postgresql"}
_NO_LIMIT, _TAKEN, _MINUTE, _MONTH, _UNKNOWN = range(5)
_NEVER: Final = 2**53 - 1


def keeps_records() -> bool:
    """Whether records are kept here at all, for the database that there is."""
    return _vendor() in KEPT_FOR


@cache
def _vendor() -> str:
    return database.vendor


class Hit(NamedTuple):
    """Both records were there. A permit was taken if both secrets match and both are in force."""

    credential: CredentialRecord
    record: KeyRecord
    state: int
    left: float
    used: int

    def permit(self, now: float) -> Permit | None:
        """What became of the permit; None if the key has no limit."""
        limits = limits_of(self.record.plan, self.record.per_minute, self.record.per_month)
        if self.state == _UNKNOWN or (self.state == _NO_LIMIT and limits != Limits(None, None)):
            return take_all([(self.record.id, limits, 1)])[0]
        return _permit(limits, self.state, self.left, self.used, 1, now)

    def give_back(self) -> None:
        """Return a permit that was taken for what was refused after all."""
        if self.state == _TAKEN:
            give_back(self.record.id, limits_of(self.record.plan, self.record.per_minute, self.record.per_month))


class Miss(NamedTuple):
    """Something was not there: the database is asked, and its answer may be kept under these leases."""

    credential_id: str
    key_id: str
    prefix: bytes
    generation: bytes
    credential_lease: bytes
    key_lease: bytes


def ask(credential: tokens.Token, key: tokens.Token) -> Hit | Miss | None:
    """The records of `credential` and `key` with a permit, in one round trip. None: no Redis, or it is away."""
    redis = _redis() if keeps_records() else None
    if redis is None:
        metrics.add("latchkey_hotstore_lookups_total", "off")
        return None
    prefix = redis.prefix
    bucket, month = _bucket_names(prefix, key.id, time.time())
    ours, theirs = _digests(credential.text), _digests(key.text)
    command = (
        "EVALSHA", scripts.ASK, 7, prefix + b"g", prefix + b"c:" + credential.id.encode(),
        prefix + b"k:" + key.id.encode(), prefix + b"lc:" + credential.id.encode(),
        prefix + b"lk:" + key.id.encode(), bucket, month,
        redis.unique(), LEASE_SECONDS * 1000, len(ours), *ours, *theirs,
    )  # fmt: skip
    try:
        answer = redis.send(command)[0]
    except RedisAway:
        connection.failed()
        metrics.add("latchkey_hotstore_lookups_total", "off")
        return None
    metrics.add("latchkey_hotstore_lookups_total", "hit" if answer[0] == 1 else "miss")
    if answer[0] == 1:
        return Hit(_credential(answer[1]), _key(answer[2]), answer[3], float(answer[4]), int(answer[5]))
    return Miss(credential.id, key.id, prefix, *answer[1:])


def keep_and_take(miss: Miss, credential: CredentialRecord, record: KeyRecord, limits: Limits | None) -> Permit | None:
    """Keep what the database said after `miss`, and take a permit (limits None: take none), in one round trip."""
    redis = _redis()
    if redis is None or redis.prefix != miss.prefix:  # another run of Redis: the lease is from before
        return take_all([(record.id, limits, 1)])[0] if limits else None
    prefix = miss.prefix
    commands: list[tuple[Any, ...]] = [
        (
            "EVALSHA", scripts.KEEP, 5, prefix + b"g", prefix + b"c:" + miss.credential_id.encode(),
            prefix + b"k:" + miss.key_id.encode(), prefix + b"lc:" + miss.credential_id.encode(),
            prefix + b"lk:" + miss.key_id.encode(),
            miss.generation, miss.credential_lease, miss.key_lease, LEASE_SECONDS * 1000, TTL_SECONDS * 1000,
            f"{credential.pepper}:{credential.digest.hex()}", _credential_end(credential), credential.server_id,
            _dumped(credential),
            f"{record.pepper}:{record.digest.hex()}", _key_end(record), record.server_id, _dumped(record),
            *_limit_texts(limits_of(record.plan, record.per_minute, record.per_month)),
        )
    ]  # fmt: skip
    now = time.time()
    if limits:
        commands.append(_permits_command(prefix, [(record.id, limits, 1)], False, {}, now))
    try:
        answers = redis.send(*commands)
    except RedisAway:
        connection.failed()
        return limiter().take(record.id, limits) if limits else None
    if limits is None:
        return None
    state, left, used = answers[1]
    if state == _UNKNOWN:
        return take_all([(record.id, limits, 1)])[0]
    return _permit(limits, state, float(left), int(used), 1, now)


def take_all(wanted: Sequence[tuple[str, Limits, int]], *, force: bool = False) -> list[Permit | None]:
    """A permit for each key id, limits and count; `force`: even beyond the limit. In this process if Redis is away."""
    redis = _redis() if wanted else None
    if redis is not None:
        try:
            return _take_from_redis(redis, wanted, force, time.time())
        except RedisAway:
            connection.failed()
    return limiter().take_all(wanted, force=force)


def give_back(key_id: str, limits: Limits) -> None:
    """Return one permit to the key."""
    redis = _redis()
    if redis is None:
        return
    try:
        names = _bucket_names(redis.prefix, key_id, time.time())
        redis.send(("EVALSHA", scripts.RETURN, 2, *names, _limit_texts(limits)[0]))
    except RedisAway:
        connection.failed()


def _redis() -> Connection | None:
    """The connection to use now: none without Redis, while it is away, and within a transaction."""
    if not settings.REDIS_URL or database.in_atomic_block:
        return None
    return connection.connection()


def _take_from_redis(
    redis: Connection, wanted: Sequence[tuple[str, Limits, int]], force: bool, now: float
) -> list[Permit | None]:
    said = redis.send(_permits_command(redis.prefix, wanted, force, {}, now))[0]
    unknown = [place for place, state in enumerate(said[::3]) if state == _UNKNOWN]
    if unknown:
        from keys.usage.services import used_by_keys  # models: not while the applications load

        again = [wanted[place] for place in unknown]
        ids = {key_id for key_id, _limits, _count in again}
        used = dict.fromkeys(ids, 0) | used_by_keys(ids, now)
        more = redis.send(_permits_command(redis.prefix, again, force, used, now))[0]
        for number, place in enumerate(unknown):
            said[3 * place : 3 * place + 3] = more[3 * number : 3 * number + 3]
    return [
        _permit(limits, state, float(left), int(used), count, now)
        for (_id, limits, count), state, left, used in zip(wanted, said[::3], said[1::3], said[2::3], strict=True)
    ]


def _permits_command(
    prefix: bytes, wanted: Sequence[tuple[str, Limits, int]], force: bool, used: dict[str, int], now: float
) -> tuple[Any, ...]:
    """Permits for all of `wanted`; `used`: the months' counts, as far as the database was asked."""
    minute, month = prefix + b"m:", prefix + f"u:{month_of(now)}:".encode()
    names: list[bytes] = []
    arguments: list[int | str] = []
    for key_id, limits, count in wanted:
        name = key_id.encode()
        names += (minute + name, month + name)
        arguments += (*_limit_texts(limits), count, used.get(key_id, ""))
    return ("EVALSHA", scripts.PERMITS, len(names), *names, "1" if force else "0", MONTH_SECONDS, *arguments)


def _bucket_names(prefix: bytes, key_id: str, now: float) -> tuple[bytes, bytes]:
    return prefix + b"m:" + key_id.encode(), prefix + f"u:{month_of(now)}:{key_id}".encode()


def _limit_texts(limits: Limits) -> tuple[int | str, int | str]:
    return (
        "" if limits.per_minute is None else limits.per_minute,
        "" if limits.per_month is None else limits.per_month,
    )


def _permit(limits: Limits, state: int, left: float, used: int, count: int, now: float) -> Permit | None:
    """The script's answer as a permit, in the words of MemoryLimiter."""
    if state == _NO_LIMIT:
        return None
    if state == _MONTH and limits.per_month is not None:
        end = month_ends(now)
        return Permit(False, limits.per_month, 0, end, max(1, math.ceil(end - now)))
    permit = Permit(True, 0, 0, now)
    if limits.per_minute is not None:
        permit = permit_of(limits.per_minute, state == _TAKEN, left, count, now)
    if permit.allowed and limits.per_month is not None:
        rest = limits.per_month - used - count
        if limits.per_minute is None or rest < permit.remaining:
            permit = Permit(True, limits.per_month, max(rest, 0), month_ends(now))
    return permit


def _digests(text: str) -> list[str]:
    """The digest of a token under every pepper, as the script compares them."""
    return [f"{name}:{tokens.digest(text, pepper).hex()}" for name, pepper in settings.PEPPERS.items()]


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
