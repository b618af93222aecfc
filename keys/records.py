"""What verification reads: a server credential and a key with all that decides about them, in one prepared query.

The ORM costs more than the rest of the request (docs/performance.md): the rows are read by the driver itself.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.utils import Error as DjangoDatabaseError
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

_SERVER = "s.id, s.name, s.company_id, s.stopped_at, s.archived_at, s.tools"
_CREDENTIAL = "c.digest, c.pepper, c.expires_at, c.overlap_ends_at, c.revoked_at"
_KEY = (
    "k.id, k.digest, k.pepper, k.name, k.server_id, k.scopes, k.allowed_ips, k.expires_at, k.overlap_ends_at,"
    " k.revoked_at, k.per_minute, k.per_month, co.id, co.name, co.slug, co.state, co.plan, u.id, u.name, u.email,"
    " u.is_active, m.role"
)
_SQL = f"""
SELECT {_CREDENTIAL}, {_SERVER}, {_KEY}
FROM keys_servercredential c
JOIN keys_mcpserver s ON s.id = c.server_id
LEFT JOIN keys_key k ON k.id = %s
LEFT JOIN companies_company co ON co.id = k.company_id
LEFT JOIN accounts_user u ON u.id = k.user_id
LEFT JOIN companies_membership m ON m.company_id = k.company_id AND m.user_id = k.user_id
WHERE c.id = %s
"""  # noqa: S608  (column lists only)
_SQLITE = _SQL.replace("%s", "?")
_CREDENTIAL_COLUMNS = 5
_SERVER_COLUMNS = 6


def _text(value: bytes) -> str:
    return value.decode()


def _bytea(value: bytes) -> bytes:
    return bytes.fromhex(value[2:].decode())


def _flag(value: bytes) -> bool:
    return value == b"t"


# PostgreSQL's answer is text: who reads which column, for those that are not text.
_READERS: dict[str, Callable[[bytes], Any]] = {
    "c.digest": _bytea, "k.digest": _bytea, "k.per_minute": int, "k.per_month": int, "u.is_active": _flag,
}  # fmt: skip
_COLUMNS = f"{_CREDENTIAL}, {_SERVER}, {_KEY}".split(", ")
_POSTGRES_READERS = [float if name.endswith("_at") else _READERS.get(name, _text) for name in _COLUMNS]
_POSTGRES = re.sub(r"\b(\w+\.\w+_at)\b", r"extract(epoch from \1)", _SQL)
_POSTGRES = _POSTGRES.replace("k.id = %s", "k.id = $1").replace("c.id = %s", "c.id = $2")
_STATEMENT = b"latchkey_verdict"


class DatabaseAway(Exception):
    """The database does not answer: verification fails closed (503)."""


class CredentialRecord(NamedTuple):
    """A server credential. Times are epoch seconds."""

    digest: bytes
    pepper: str
    expires_at: float | None
    overlap_ends_at: float | None
    revoked_at: float | None
    server_id: str
    server_name: str
    server_company_id: str | None
    stopped_at: float | None
    archived_at: float | None
    tools: str  # the catalogue as JSON text: read only when a scope asks for it


class KeyRecord(NamedTuple):
    """A key with its company, its user and the user's role. Times are epoch seconds; `scopes`… are JSON text."""

    id: str
    digest: bytes
    pepper: str
    name: str
    server_id: str
    scopes: str
    allowed_ips: str
    expires_at: float | None
    overlap_ends_at: float | None
    revoked_at: float | None
    per_minute: int | None
    per_month: int | None
    company_id: str
    company_name: str
    company_slug: str
    company_state: str
    plan: str
    user_id: str
    user_name: str
    user_email: str
    user_active: bool
    role: str | None


Found = tuple[CredentialRecord | None, KeyRecord | None]


def fetch(credential_id: str, key_id: str) -> Found:
    """The credential and the key with these ids, each None if there is none. Raises DatabaseAway.

    One query, or none where it is certain that nothing was written since the last one (SQLite, see `_Unchanged`).
    """
    database = connections[DEFAULT_DB_ALIAS]  # once: the proxy `connection` looks it up at each use
    try:
        if database.connection is None:
            database.ensure_connection()
        if database.vendor == "sqlite":
            return _fetch_sqlite(database.connection, credential_id, key_id)
        return _found(_one_row(database.connection, _POSTGRES, (key_id, credential_id)))
    except (DjangoDatabaseError, psycopg.Error, sqlite3.Error) as error:
        # A connection that broke is closed, so that the next request opens a new one.
        if not database.in_atomic_block:
            database.close()
        raise DatabaseAway from error


class _Unchanged(threading.local):
    """Rows that one SQLite connection has read, good while nobody has written anything.

    `PRAGMA data_version` changes when another connection commits, `total_changes` when this one writes: as long as
    both stand, the database is the one that the rows were read from. A look-up costs a third of the request, asking
    for the version nothing.
    """

    version: tuple[int, int, int] = (0, 0, 0)

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Found] = {}


_unchanged = _Unchanged()
MOST_UNCHANGED = 20_000


def _fetch_sqlite(driver: sqlite3.Connection, credential_id: str, key_id: str) -> Found:
    version = (id(driver), driver.execute("PRAGMA data_version").fetchone()[0], driver.total_changes)
    if version != _unchanged.version or len(_unchanged.rows) >= MOST_UNCHANGED:
        _unchanged.rows = {}
        _unchanged.version = version
    found = _unchanged.rows.get((credential_id, key_id))
    if found is None:
        found = _found(_one_row(driver, _SQLITE, (key_id, credential_id)))
        _unchanged.rows[credential_id, key_id] = found
    return found


def _one_row(driver: Any, sql: str, parameters: tuple[str, str]) -> Sequence[Any] | None:
    """The row that the database has, asked by its driver."""
    if isinstance(driver, sqlite3.Connection):
        row: Sequence[Any] | None = driver.execute(sql, parameters).fetchone()
        return row
    return _row_of_postgres(driver, sql, parameters)


class _Prepared(threading.local):
    """The connection of this thread that knows the statement."""

    on: Callable[[], psycopg.Connection | None] = staticmethod(lambda: None)


_prepared = _Prepared()


def _row_of_postgres(driver: psycopg.Connection, sql: str, parameters: tuple[str, str]) -> Sequence[Any] | None:
    """By libpq itself: psycopg's cursor costs nine times as much as the statement that it sends."""
    libpq = driver.pgconn
    if _prepared.on() is not driver:
        _checked(libpq.prepare(_STATEMENT, sql.encode()), ExecStatus.COMMAND_OK)
        _prepared.on = weakref.ref(driver)
    result = libpq.exec_prepared(_STATEMENT, [parameter.encode() for parameter in parameters])
    _checked(result, ExecStatus.TUPLES_OK)
    if not result.ntuples:
        return None
    values = [result.get_value(0, place) for place in range(len(_POSTGRES_READERS))]
    return [None if value is None else read(value) for read, value in zip(_POSTGRES_READERS, values, strict=True)]


def _checked(result: PGresult, wanted: ExecStatus) -> None:
    if result.status != wanted:
        raise psycopg.OperationalError(result.error_message.decode(errors="replace"))


def _found(row: Sequence[Any] | None) -> Found:
    if row is None:
        return None, None
    end = _CREDENTIAL_COLUMNS + _SERVER_COLUMNS
    credential = CredentialRecord(
        bytes(row[0]), row[1], _epoch(row[2]), _epoch(row[3]), _epoch(row[4]),
        row[5], row[6], row[7], _epoch(row[8]), _epoch(row[9]), row[10],
    )  # fmt: skip
    return credential, None if row[end] is None else key_record(row[end:])


def key_record(row: Sequence[Any]) -> KeyRecord:
    """A row of the columns that `_KEY` names, as a record."""
    ends = (_epoch(row[7]), _epoch(row[8]), _epoch(row[9]))
    return KeyRecord._make((row[0], bytes(row[1]), *row[2:7], *ends, *row[10:]))


def _epoch(value: datetime | str | float | None) -> float | None:
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, str):  # SQLite keeps UTC without an offset
        return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
    return value.timestamp()


_KEYS_SQL = f"""
SELECT {_KEY}
FROM keys_key k
JOIN companies_company co ON co.id = k.company_id
JOIN accounts_user u ON u.id = k.user_id
LEFT JOIN companies_membership m ON m.company_id = k.company_id AND m.user_id = k.user_id
WHERE k.id IN (%s)
"""  # noqa: S608


def fetch_keys(key_ids: Sequence[str]) -> dict[str, KeyRecord]:
    """The keys with these ids (at most a few hundred), by id. Raises DatabaseAway. One query."""
    if not key_ids:
        return {}
    marks = ", ".join(["%s"] * len(key_ids))
    try:
        with connection.cursor() as cursor:
            cursor.execute(_KEYS_SQL % marks, list(key_ids))
            rows = cursor.fetchall()
    except DjangoDatabaseError as error:
        raise DatabaseAway from error
    return {row[0]: key_record(row) for row in rows}
