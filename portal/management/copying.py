"""Loading many rows as fast as the database takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Model


@contextmanager
def trusted() -> Iterator[None]:
    """Within it foreign keys are not checked, where PostgreSQL lets this user: they are right by construction, and
    checking millions of them takes minutes. In a transaction.
    """
    with connection.cursor() as cursor:
        may = False
        if connection.vendor == "postgresql":
            cursor.execute("SELECT usesuper FROM pg_user WHERE usename = current_user")
            may = bool(cursor.fetchone()[0])
        if may:
            cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        if may:
            cursor.execute("SET LOCAL session_replication_role = origin")


def copy(model: type[Model], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Load `rows` into the table of `model`: COPY on PostgreSQL, prepared inserts on SQLite. In a transaction.

    Columns that are not named get the model's default: one that is added to the model needs nothing here.
    """
    others = [
        field
        for field in model._meta.local_concrete_fields
        if field.column not in columns and not field.null and not field.primary_key and not field.has_db_default()
    ]
    rest = tuple(field.get_default() for field in others)
    rows = (row + rest for row in rows)
    columns = [*columns, *(str(field.column) for field in others)]
    table, names = model._meta.db_table, ", ".join(columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as load:
                for row in rows:
                    load.write_row(row)
        else:
            marks = ", ".join("?" * len(columns))
            adapt = connection.ops.adapt_datetimefield_value
            adapted = (tuple(adapt(value) if isinstance(value, datetime) else value for value in row) for row in rows)
            cursor.connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", adapted)  # noqa: S608
