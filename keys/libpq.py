"""Statements on the hot path of PostgreSQL, prepared once a connection and run by libpq itself.

psycopg's cursor costs nine times as much as the statement that it sends. Values come in PostgreSQL's binary form,
which costs it half of what text does: no timestamp and no digest is written out to be read again.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

Reader = Callable[[bytes], Any]
_BINARY = 1
_YEAR_2000 = 946_684_800_000_000  # in microseconds


class _Prepared(threading.local):
    """The connection of this thread, and the statements that it knows."""

    on: Callable[[], psycopg.Connection | None] = staticmethod(lambda: None)

    def __init__(self) -> None:
        self.names: set[bytes] = set()


_prepared = _Prepared()


def rows(
    driver: psycopg.Connection, name: bytes, sql: bytes, parameters: Sequence[bytes], readers: Sequence[Reader]
) -> list[list[Any]]:
    """The rows that `sql`, known as `name`, has for `parameters`; `readers`: one a column. Raises psycopg.Error."""
    libpq = driver.pgconn
    if _prepared.on() is not driver:
        _prepared.on, _prepared.names = weakref.ref(driver), set()
    if name not in _prepared.names:
        _checked(libpq.prepare(name, sql), ExecStatus.COMMAND_OK)
        _prepared.names.add(name)
    result = libpq.exec_prepared(name, parameters, result_format=_BINARY)
    _checked(result, ExecStatus.TUPLES_OK)
    value_of, columns = result.get_value, list(enumerate(readers))
    return [
        [None if (value := value_of(row, place)) is None else read(value) for place, read in columns]
        for row in range(result.ntuples)
    ]


def _checked(result: PGresult, wanted: ExecStatus) -> None:
    if result.status != wanted:
        raise psycopg.OperationalError(result.error_message.decode(errors="replace"))


def moment(value: bytes) -> float:
    """A `timestamptz` as epoch seconds."""
    return (int.from_bytes(value, "big", signed=True) + _YEAR_2000) / 1_000_000  # rounded as datetime rounds


def number(value: bytes) -> int:
    """An `integer` of any size."""
    return int.from_bytes(value, "big", signed=True)


def flag(value: bytes) -> bool:
    """A `boolean`."""
    return value == b"\x01"


def json_text(value: bytes) -> str:
    """A `jsonb` as text: its first byte is a version."""
    return value[1:].decode()


def text_array(values: Sequence[str]) -> bytes:
    """Ids as a parameter of type `text[]`. An id with anything but ASCII letters and digits is nobody's: left out."""
    return b"{" + ",".join([value for value in values if value.isascii() and value.isalnum()]).encode() + b"}"
