"""What verification reads: a server credential and a key with all that decides about them, in one prepared query.

The ORM costs more than the rest of the request (docs/performance.md): the rows are read by the driver itself.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.utils import Error as DjangoDatabaseError

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
        return _found(_one_row(database.connection, _SQL, (key_id, credential_id), prepare=True))
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


def _one_row(driver: Any, sql: str, parameters: tuple[str, str], **options: bool) -> Sequence[Any] | None:
    row: Sequence[Any] | None = driver.execute(sql, parameters, **options).fetchone()
    return row


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


def _epoch(value: datetime | str | None) -> float | None:
    if value is None:
        return None
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
