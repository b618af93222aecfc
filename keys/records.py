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
from keys.lookups import KEYS, POSTGRES_MANY_READERS, POSTGRES_ONE_READERS, Source
from keys.unchanged import Unchanged, postgres_version, postgres_version_of, sqlite_version


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
_SERVER_COLUMNS = len(CredentialRecord._fields)


def fetch(credential_id: str, token_id: str, source: Source = KEYS) -> Found:
    """The credential and the key (or what else `source` reads) with these ids, each None if there is none.

    One round trip: of the look-up, or of the question whether anything was written since (keys/unchanged.py). Raises
    DatabaseAway.
    """
    with _driver() as driver:
        if isinstance(driver, sqlite3.Connection):
            return _fetch_sqlite(driver, credential_id, token_id, source)
        return _fetch_postgres(driver, credential_id, token_id, source)


def fetch_many(token_ids: Collection[str], source: Source) -> dict[str, KeyRecord]:
    """What `source` reads for these ids, at most a few hundred, by the ids that were asked for.

    One round trip, as above. Raises DatabaseAway.
    """
    if not token_ids:
        return {}
    with _driver() as driver:
        fetch_from = _fetch_many_sqlite if isinstance(driver, sqlite3.Connection) else _fetch_many_postgres
        known = fetch_from(driver, token_ids, source)
    return {token_id: record for token_id in token_ids if (record := known[token_id]) is not None}


def fetch_keys(key_ids: Collection[str]) -> dict[str, KeyRecord]:
    """The keys with these ids, by id, as above."""
    return fetch_many(key_ids, KEYS)


def fetch_unchanged(key_ids: Collection[str]) -> dict[str, KeyRecord]:
    """Those of the keys with these ids that this thread has read before and that still stand, by id.

    No look-up: one round trip at most, for the question whether anything was written since. Raises DatabaseAway.
    """
    known = _unchanged.many_of(KEYS.name)
    there = {key_id: record for key_id in key_ids if (record := known.get(key_id)) is not None}
    if not there:
        return {}
    with _driver() as driver:
        is_sqlite = isinstance(driver, sqlite3.Connection)
        version = sqlite_version(driver) if is_sqlite else postgres_version(driver)
        return there if _unchanged.stands_at(version) else {}


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


def _fetch_sqlite(driver: sqlite3.Connection, credential_id: str, token_id: str, source: Source) -> Found:
    asked = (source.name, credential_id, token_id)
    keep = _unchanged.stand_at(sqlite_version(driver))
    found = _unchanged.one.get(asked)
    if found is None:
        found = _found(_one_row(driver, token_id, credential_id, source))
        if keep:
            _unchanged.one[asked] = found
    return found


def _fetch_postgres(driver: psycopg.Connection, credential_id: str, token_id: str, source: Source) -> Found:
    asked = (source.name, credential_id, token_id)
    found = _unchanged.one.get(asked)
    if found is not None and _unchanged.stands_at(postgres_version(driver)):
        return found
    row = _one_row(driver, token_id, credential_id, source)
    if row is None:
        return None, None
    key = row[_SERVER_COLUMNS:-1]
    found = CredentialRecord._make(row[:_SERVER_COLUMNS]), None if key[0] is None else KeyRecord._make(key)
    if _unchanged.stand_at(postgres_version_of(driver, row[-1])):
        _unchanged.one[asked] = found
    return found


def _fetch_many_sqlite(
    driver: sqlite3.Connection, token_ids: Collection[str], source: Source
) -> Mapping[str, KeyRecord | None]:
    known = _unchanged.many_of(source.name) if _unchanged.stand_at(sqlite_version(driver)) else {}
    if unread := [token_id for token_id in token_ids if token_id not in known]:
        rows = driver.execute(source.sqlite_many(len(unread)), unread)
        known.update(dict.fromkeys(unread))
        known.update({row[-1]: key_record(row[:-1]) for row in rows})
    return known


def _fetch_many_postgres(
    driver: psycopg.Connection, token_ids: Collection[str], source: Source
) -> Mapping[str, KeyRecord | None]:
    known = _unchanged.many_of(source.name)
    if all(token_id in known for token_id in token_ids) and _unchanged.stands_at(postgres_version(driver)):
        return known
    name, ids = f"latchkey_many_{source.name}".encode(), libpq.text_array(list(token_ids))
    rows = libpq.rows(driver, name, source.postgres_many(), (ids,), POSTGRES_MANY_READERS)
    found = dict.fromkeys(token_ids) | {row[-2]: KeyRecord._make(row[:-2]) for row in rows}
    if rows and _unchanged.stand_at(postgres_version_of(driver, rows[0][-1])):
        _unchanged.many_of(source.name).update(found)
    return found


def _one_row(driver: Any, token_id: str, credential_id: str, source: Source) -> Sequence[Any] | None:
    """The row that the database has for the ids of a token and a credential, asked by its driver."""
    if isinstance(driver, sqlite3.Connection):
        row: Sequence[Any] | None = driver.execute(source.sqlite_one(), (token_id, credential_id)).fetchone()
        return row
    name, parameters = f"latchkey_one_{source.name}".encode(), (token_id.encode(), credential_id.encode())
    found = libpq.rows(driver, name, source.postgres_one(), parameters, POSTGRES_ONE_READERS)
    return found[0] if found else None


def _found(row: Sequence[Any] | None) -> Found:
    if row is None:
        return None, None
    end = _SERVER_COLUMNS
    credential = CredentialRecord(
        bytes(row[0]), row[1], _epoch(row[2]), _epoch(row[3]), _epoch(row[4]),
        row[5], row[6], row[7], _epoch(row[8]), _epoch(row[9]), row[10],
    )  # fmt: skip
    return credential, None if row[end] is None else key_record(row[end:])


def key_record(row: Sequence[Any]) -> KeyRecord:
    """A row of RECORD_COLUMNS as a record."""
    ends = (_epoch(row[7]), _epoch(row[8]), _epoch(row[9]))
    return KeyRecord._make((row[0], bytes(row[1]), *row[2:7], *ends, *row[10:]))


def _epoch(value: datetime | str | float | None) -> float | None:
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, str):  # SQLite keeps UTC without an offset
        return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
    return value.timestamp()
