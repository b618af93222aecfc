"""Rows that this thread's connection has read, good for as long as it is certain that nobody has written anything.

Each database says so in its own way, at the cost of much less than a look-up (docs/decisions/unchanged-rows.md):

- SQLite: `PRAGMA data_version` changes when another connection commits, `total_changes` when this one writes.
- PostgreSQL: a snapshot names the transactions that it sees. Two that are equal see the same data, and one that is
  taken after a commit was answered is never equal to one that was taken before it.

Nothing is kept within a transaction: what it has written itself changes neither.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import Any, Generic, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from keys import libpq

MOST = 20_000  # rows of a thread
Version = tuple[Any, ...]
Row = TypeVar("Row")
Key = TypeVar("Key")

_SNAPSHOT = b"SELECT pg_current_snapshot()"


class Unchanged(threading.local, Generic[Row, Key]):
    """What was read for one question (by source and ids), and for many (by source, then id; None: nothing there)."""

    def __init__(self) -> None:
        self._version: Version = ()
        self.one: dict[tuple[str, str, str], Row] = {}
        self._many: dict[str, dict[str, Key | None]] = {}

    def many_of(self, source: str) -> dict[str, Key | None]:
        """What was read for many."""
        return self._many.setdefault(source, {})

    def stand_at(self, version: Version) -> bool:
        """Forget what was read at another version. Whether what is read at this one may be kept: not at ()."""
        if version != self._version or len(self.one) + sum(map(len, self._many.values())) >= MOST:
            self.one, self._many = {}, {}
            self._version = version
        return bool(version)

    def stands_at(self, version: Version) -> bool:
        """Whether the rows are those of `version`."""
        return version == self._version


def sqlite_version(driver: sqlite3.Connection) -> Version:
    """What SQLite is at, as this connection sees it; () within a transaction."""
    if driver.in_transaction:
        return ()
    return driver, driver.execute("PRAGMA data_version").fetchone()[0], driver.total_changes


def postgres_version(driver: psycopg.Connection) -> Version:
    """What PostgreSQL is at: one round trip. () within a transaction. Raises psycopg.Error."""
    if _is_in_transaction(driver):
        return ()
    return driver, libpq.rows(driver, b"latchkey_snapshot", _SNAPSHOT, (), (bytes,))[0][0]


def postgres_version_of(driver: psycopg.Connection, snapshot: bytes) -> Version:
    """The version of rows that were read with `snapshot`; () within a transaction."""
    return () if _is_in_transaction(driver) else (driver, snapshot)


def _is_in_transaction(driver: psycopg.Connection) -> bool:
    return driver.pgconn.transaction_status != TransactionStatus.IDLE
