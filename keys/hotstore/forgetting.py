"""Making sure that nobody believes what the hot store kept before an act, before the act returns."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from django.conf import settings

from keys.hotstore import connection, scripts
from keys.hotstore.connection import Connection, RedisAway
from keys.hotstore.store import TTL_SECONDS, keeps_records

log = logging.getLogger(__name__)

MOST_IDS = 600  # beyond it everything: a step of Redis holds up every verdict, and so does an empty store
TIMEOUTS = (0.1, 0.3, 0.3)
# A record lives from the beginning of its lease; a quarter of a second more for clocks that do not run alike.
LONGEST_SECONDS = TTL_SECONDS + 0.25


def forget(*, key_ids: Collection[str] = (), credential_ids: Collection[str] = (), everything: bool = False) -> None:
    """Forget these keys and credentials, or everything. Called after the commit; never raises.

    When it returns, no verdict on a question that is asked from now on uses what was read before the commit. If Redis
    cannot be reached, that takes until the last record of before has run out: LONGEST_SECONDS.
    """
    if not settings.REDIS_URL or not keeps_records() or not (key_ids or credential_ids or everything):
        return
    began = time.monotonic()
    everything = everything or len(key_ids) + len(credential_ids) > MOST_IDS
    for timeout in TIMEOUTS:
        try:
            made = Connection(settings.REDIS_URL, timeout)
        except RedisAway as error:
            reason = error
            continue
        try:
            made.send(_command(made, key_ids, credential_ids, everything))
            return
        except RedisAway as error:
            reason = error
        finally:
            made.close()
    connection.failed()
    log.warning("Redis is away (%s): waiting until what it kept has run out", reason)
    time.sleep(max(0.0, began + LONGEST_SECONDS - time.monotonic()))


def _command(
    redis: Connection, key_ids: Collection[str], credential_ids: Collection[str], everything: bool
) -> tuple[bytes | str | int, ...]:
    if everything:
        return ("EVALSHA", scripts.FORGET, 0, redis.prefix + b"g", redis.unique())
    names = [redis.prefix + kind + key_id.encode() for key_id in key_ids for kind in (b"k:", b"lk:")]
    names += [redis.prefix + kind + name.encode() for name in credential_ids for kind in (b"c:", b"lc:")]
    return ("EVALSHA", scripts.FORGET, len(names), *names)
