"""What verification reads: a server credential and a key with all that decides about them, in one prepared query.

The ORM costs more than the rest of the request (docs/performance.md): the rows are read by the driver itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import Error as DjangoDatabaseError

from keys import libpq
from keys.limits import Limits, limits_of
from keys.unchanged import Unchanged, postgres_version, postgres_version_of, sqlite_version

_SERVER = "s.id, s.name, s.company_id, s.stopped_at, s.archived_at, s.tools"
_CREDENTIAL = "c.digest, c.pepper, c.expires_at, c.overlap_ends_at, c.revoked_at"
_KEY = (
    "k.id, k.digest, k.pepper, k.name, k.server_id, k.scopes, k.allowed_ips, k.expires_at, k.overlap_ends_at,"
    " k.revoked_at, k.per_minute, k.per_month, co.id, co.name, co.slug, co.state, co.plan, u.id, u.name, u.email,"
    " u.is_active, m.role"
)
_SQLITE = f"""
SELECT {_CREDENTIAL}, {_SERVER}, {_KEY}
FROM keys_servercredential c
JOIN keys_mcpserver s ON s.id = c.server_id
LEFT JOIN keys_key k ON k.id = ?
LEFT JOIN companies_company co ON co.id = k.company_id
LEFT JOIN accounts_user u ON u.id = k.user_id
LEFT JOIN companies_membership m ON m.company_id = k.company_id AND m.user_id = k.user_id
WHERE c.id = ?
"""  # noqa: S608  (column lists only)
_SQLITE_KEYS = f"""
SELECT {_KEY}
FROM keys_key k
JOIN companies_company co ON co.id = k.company_id
JOIN accounts_user u ON u.id = k.user_id
LEFT JOIN companies_membership m ON m.company_id = k.company_id AND m.user_id = k.user_id
WHERE k.id IN (%s)
"""  # noqa: S608
_CREDENTIAL_COLUMNS = 11  # with those of its server

# `OFFSET 0` keeps PostgreSQL from making one join of it all: it would read small tables whole to hash them, which costs
# it twice as much as one look-up in each, and would go on so while they grow.
_SNAPSHOT = "(SELECT pg_current_snapshot())"  # read once for all rows
_OF_KEY = """
LEFT JOIN LATERAL (SELECT * FROM companies_company WHERE id = k.company_id OFFSET 0) co ON true
LEFT JOIN LATERAL (SELECT * FROM accounts_user WHERE id = k.user_id OFFSET 0) u ON true
LEFT JOIN LATERAL (
    SELECT role FROM companies_membership WHERE company_id = k.company_id AND user_id = k.user_id OFFSET 0
) m ON true
"""
_POSTGRES = f"""
SELECT {_CREDENTIAL}, {_SERVER}, {_KEY}, {_SNAPSHOT}
FROM (SELECT * FROM keys_servercredential WHERE id = $2 OFFSET 0) c
CROSS JOIN LATERAL (SELECT * FROM keys_mcpserver WHERE id = c.server_id OFFSET 0) s
LEFT JOIN LATERAL (SELECT * FROM keys_key WHERE id = $1 OFFSET 0) k ON true
{_OF_KEY}
""".encode()  # noqa: S608
_POSTGRES_KEYS = f"""
SELECT {_KEY}, {_SNAPSHOT} FROM (SELECT * FROM keys_key WHERE id = ANY($1) OFFSET 0) k {_OF_KEY}
""".encode()  # noqa: S608
# Who reads which column of PostgreSQL's, for those that are neither moments nor text.
_READERS: dict[str, libpq.Reader] = {
    "c.digest": bytes, "k.digest": bytes, "k.per_minute": libpq.number, "k.per_month": libpq.number,
    "u.is_active": libpq.flag, "s.tools": libpq.json_text, "k.scopes": libpq.json_text,
    "k.allowed_ips": libpq.json_text,
    _SNAPSHOT: bytes,
}  # fmt: skip


def _readers(columns: str) -> list[libpq.Reader]:
    names = columns.split(", ")
    return [libpq.moment if name.endswith("_at") else _READERS.get(name, bytes.decode) for name in names]


_POSTGRES_READERS = _readers(f"{_CREDENTIAL}, {_SERVER}, {_KEY}, {_SNAPSHOT}")
_POSTGRES_KEY_READERS = _readers(f"{_KEY}, {_SNAPSHOT}")


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

    @property
    def limits(self) -> Limits:
        """The key's own limits, or those of its company's plan."""
        return limits_of(self.plan, self.per_minute, self.per_month)


Found = tuple[CredentialRecord | None, KeyRecord | None]


def fetch(credential_id: str, key_id: str) -> Found:
    """The credential and the key with these ids, each None if there is none. Raises DatabaseAway.

    One round trip: of the look-up, or of the question whether anything was written since (keys/unchanged.py).
    """
    with _driver() as driver:
        if isinstance(driver, sqlite3.Connection):
            return _fetch_sqlite(driver, credential_id, key_id)
        return _fetch_postgres(driver, credential_id, key_id)


def fetch_keys(key_ids: Collection[str]) -> dict[str, KeyRecord]:
    """The keys with these ids (at most a few hundred), by id. Raises DatabaseAway. One round trip, as above."""
    if not key_ids:
        return {}
    with _driver() as driver:
        fetch_from = _fetch_keys_sqlite if isinstance(driver, sqlite3.Connection) else _fetch_keys_postgres
        known = fetch_from(driver, key_ids)
    return {key_id: record for key_id in key_ids if (record := known[key_id]) is not None}


class _driver:  # noqa: N801
    """The driver's own connection; its errors are DatabaseAway. A class, since contextlib costs a look-up's time."""

    def __enter__(self) -> Any:
        self._database = database = connections[DEFAULT_DB_ALIAS]  # the proxy `connection` looks it up at each use
        try:
            if database.connection is None:
                database.ensure_connection()
        except DjangoDatabaseError as error:
            self.__exit__(None, error, None)
        return database.connection

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, DjangoDatabaseError | psycopg.Error | sqlite3.Error):
            # A connection that broke is closed, so that the next request opens a new one.
            if not self._database.in_atomic_block:
                self._database.close()
            raise DatabaseAway from error


_unchanged: Unchanged[Found, KeyRecord] = Unchanged()


def _fetch_sqlite(driver: sqlite3.Connection, credential_id: str, key_id: str) -> Found:
    keep = _unchanged.stand_at(sqlite_version(driver))
    found = _unchanged.rows.get((credential_id, key_id))
    if found is None:
        found = _found(_one_row(driver, (key_id, credential_id)))
        if keep:
            _unchanged.rows[credential_id, key_id] = found
    return found


def _fetch_postgres(driver: psycopg.Connection, credential_id: str, key_id: str) -> Found:
    found = _unchanged.rows.get((credential_id, key_id))
    if found is not None and _unchanged.stands_at(postgres_version(driver)):
        return found
    row = _one_row(driver, (key_id, credential_id))
    if row is None:
        return None, None
    key = row[_CREDENTIAL_COLUMNS:-1]
    found = CredentialRecord._make(row[:_CREDENTIAL_COLUMNS]), None if key[0] is None else KeyRecord._make(key)
    if _unchanged.stand_at(postgres_version_of(driver, row[-1])):
        _unchanged.rows[credential_id, key_id] = found
    return found


def _fetch_keys_sqlite(driver: sqlite3.Connection, key_ids: Collection[str]) -> Mapping[str, KeyRecord | None]:
    known = _unchanged.keys if _unchanged.stand_at(sqlite_version(driver)) else {}
    if unread := [key_id for key_id in key_ids if key_id not in known]:
        rows = driver.execute(_SQLITE_KEYS % ", ".join("?" * len(unread)), unread)
        known.update(dict.fromkeys(unread))
        known.update({row[0]: key_record(row) for row in rows})
    return known


def _fetch_keys_postgres(driver: psycopg.Connection, key_ids: Collection[str]) -> Mapping[str, KeyRecord | None]:
    known = _unchanged.keys
    if all(key_id in known for key_id in key_ids) and _unchanged.stands_at(postgres_version(driver)):
        return known
    rows = libpq.rows(
        driver, b"latchkey_keys", _POSTGRES_KEYS, (libpq.text_array(list(key_ids)),), _POSTGRES_KEY_READERS
    )
    found = dict.fromkeys(key_ids) | {row[0]: KeyRecord._make(row[:-1]) for row in rows}
    if rows and _unchanged.stand_at(postgres_version_of(driver, rows[0][-1])):
        _unchanged.keys.update(found)
    return found


def _one_row(driver: Any, parameters: tuple[str, str]) -> Sequence[Any] | None:
    """The row that the database has for the ids of a key and a credential, asked by its driver."""
    if isinstance(driver, sqlite3.Connection):
        row: Sequence[Any] | None = driver.execute(_SQLITE, parameters).fetchone()
        return row
    key_id, credential_id = parameters
    found = libpq.rows(
        driver, b"latchkey_verdict", _POSTGRES, (key_id.encode(), credential_id.encode()), _POSTGRES_READERS
    )
    return found[0] if found else None


def _found(row: Sequence[Any] | None) -> Found:
    if row is None:
        return None, None
    end = _CREDENTIAL_COLUMNS
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
