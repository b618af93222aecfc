"""Taking permits from Redis, many in one round trip."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Final

from keys.hotstore import connection, scripts
from keys.hotstore.connection import Connection, RedisAway
from keys.limits import Limits, Permit, limiter, month_ends, month_of, permit_of

# The month's count is read from the database again now and then: it is then right again after Redis was away.
MONTH_SECONDS: Final = 3600
MILLION: Final = 1_000_000
NO_LIMIT, TAKEN, MINUTE, MONTH, UNKNOWN = range(5)
Command = tuple[Any, ...]
# A key's id, its limits, and how many requests.
Wanted = tuple[str, Limits, int]


def take_all(wanted: Sequence[Wanted], *, force: bool = False, along: Sequence[Command] = ()) -> list[Permit | None]:
    """A permit for each key id, limits and count; `force`: even beyond the limit. In this process if Redis is away.

    `along`: what is sent before, in the same round trip.
    """
    redis = connection.usable() if wanted or along else None
    if redis is not None:
        try:
            return _take_from_redis(redis, wanted, force, time.time(), along)
        except RedisAway:
            connection.failed()
    return limiter().take_all(wanted, force=force)


def _take_from_redis(
    redis: Connection, wanted: Sequence[Wanted], force: bool, now: float, along: Sequence[Command]
) -> list[Permit | None]:
    commands = [*along, _permits_command(redis.prefix, wanted, force, {}, now)] if wanted else along
    said = redis.send(*commands)[-1]
    if not wanted:
        return []
    unknown = [place for place, state in enumerate(said[::3]) if state == UNKNOWN]
    if unknown:
        from keys.usage.services import used_by_keys  # models: not while the applications load

        again = [wanted[place] for place in unknown]
        ids = {key_id for key_id, _limits, _count in again}
        used = dict.fromkeys(ids, 0) | used_by_keys(ids, now)
        more = redis.send(_permits_command(redis.prefix, again, force, used, now))[0]
        for number, place in enumerate(unknown):
            said[3 * place : 3 * place + 3] = more[3 * number : 3 * number + 3]
    return [
        permit(limits, state, left / MILLION, used, count, now)
        for (_id, limits, count), state, left, used in zip(wanted, said[::3], said[1::3], said[2::3], strict=True)
    ]


def _permits_command(prefix: bytes, wanted: Sequence[Wanted], force: bool, used: dict[str, int], now: float) -> Command:
    """Permits for all of `wanted`; `used`: the months' counts, as far as the database was asked."""
    minute, month = prefix + b"m:", prefix + f"u:{month_of(now)}:".encode()
    names: list[bytes] = []
    arguments: list[int | str] = []
    for key_id, limits, count in wanted:
        name = key_id.encode()
        names += (minute + name, month + name)
        arguments += (*limit_texts(limits), count, used.get(key_id, ""))
    return ("EVALSHA", scripts.PERMITS, len(names), *names, "1" if force else "0", MONTH_SECONDS, *arguments)


def bucket_names(prefix: bytes, key_id: str, now: float) -> tuple[bytes, bytes]:
    """Where Redis has the key's minute, and its month."""
    return prefix + b"m:" + key_id.encode(), prefix + f"u:{month_of(now)}:{key_id}".encode()


def limit_texts(limits: Limits) -> tuple[int | str, int | str]:
    """The limits of the minute and the month as the scripts read them."""
    return (
        "" if limits.per_minute is None else limits.per_minute,
        "" if limits.per_month is None else limits.per_month,
    )


def permit(limits: Limits, state: int, left: float, used: int, count: int, now: float) -> Permit | None:
    """The script's answer as a permit, in the words of MemoryLimiter."""
    if state == NO_LIMIT:
        return None
    if state == MONTH and limits.per_month is not None:
        end = month_ends(now)
        return Permit(False, limits.per_month, 0, end, max(1, math.ceil(end - now)))
    of_minute = None
    if limits.per_minute is not None:
        of_minute = permit_of(limits.per_minute, state == TAKEN, left, count, now)
        if not of_minute.allowed:
            return of_minute
    if limits.per_month is not None:
        rest = limits.per_month - used - count
        if of_minute is None or rest < of_minute.remaining:
            return Permit(True, limits.per_month, max(rest, 0), month_ends(now))
    return of_minute
