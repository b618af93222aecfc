"""Finding rows by how a text of theirs begins, in any case and by an index, on SQLite and PostgreSQL alike.

LIKE follows an index on neither without care: SQLite wants another collation for it, PostgreSQL another class of
operators. A range of lower-cased text, compared byte by byte, follows the same index on both.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Func, Q, Value
from django.db.models.fields import CharField
from django.db.models.lookups import GreaterThanOrEqual, LessThan

_LAST: Final = "\U0010ffff"  # no text has a character behind it


class Folded(Func):
    """A text in lower case, compared byte by byte. SQLite folds the letters of ASCII alone."""

    function = "LOWER"
    arity = 1
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """With the collation of bytes, whatever that of the database is."""
        return self.as_sql(compiler, connection, template='(%(function)s(%(expressions)s) COLLATE "C")', **extra)


def begins(column: str, text: str) -> Q:
    """The condition that `column` begins with `text`, in any case."""
    low, high = Folded(Value(text)), Folded(Value(text + _LAST))
    return Q(GreaterThanOrEqual(Folded(column), low)) & Q(LessThan(Folded(column), high))
