"""Redis on the hot path: what a verdict needs, and its permit, in one round trip.

Records are kept for TTL_SECONDS, so that a busy key does not ask the database each time. What makes that safe is said
in docs/reliability.md, in short:

- a look-up may be kept only under a lease taken before it began, and `forget` ends leases: a look-up that was under way
  while a key was revoked cannot bring the old row back;
- `forget` runs after the commit and before the act returns; when Redis cannot be reached it waits until everything that
  was kept before has run out, which is counted from the beginning of the look-up;
- every name carries the run of the Redis process: what an earlier run knew is not believed;
- inside a transaction nothing is read from here or kept: it sees rows that others do not.

On SQLite only permits are taken here: each process knows by itself whether a row that it read still stands. Without
REDIS_URL, or while Redis is away, every function says so and callers take the slower way.
"""

from __future__ import annotations

from keys.hotstore.forgetting import forget
from keys.hotstore.permits import take_all
from keys.hotstore.store import (
    TTL_SECONDS,
    Found,
    Hit,
    Miss,
    ask,
    ask_all,
    give_back,
    keep_and_take,
    keeps_records,
)

__all__ = [
    "TTL_SECONDS",
    "Found",
    "Hit",
    "Miss",
    "ask",
    "ask_all",
    "forget",
    "give_back",
    "keep_and_take",
    "keeps_records",
    "take_all",
]
