"""Pages of long lists by keyset: a page costs the same at the beginning and a million rows further on.

A cursor is the sort key of the row at the edge of the page, in the address of the next one. Nothing is counted.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class CursorPage(Generic[Row]):
    """Rows of one page, and the cursors of its neighbours ('' where there is none)."""

    rows: list[Row]
    newer: str
    older: str

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def paginate(queryset: QuerySet[Row], *, order: tuple[str, ...], size: int, cursor: str = "") -> CursorPage[Row]:
    """The page of `queryset` at `cursor`, in `order`: one query, `size` rows at most.

    `order` names columns of the model, the last one unique, none of them null in the rows; `-` means descending. A
    cursor that was tampered with is the first page.
    """
    backwards, edge = _decode(cursor, len(order))
    if edge is not None:
        try:
            queryset = queryset.filter(_beyond(order, [_value(part) for part in edge], backwards))
            rows = list(queryset.order_by(*(_reverse(order) if backwards else order))[: size + 1])
        except (ValueError, TypeError, KeyError, OverflowError, ValidationError):
            backwards, edge = False, None
    if edge is None:
        rows = list(queryset.order_by(*order)[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    has_newer = more if backwards else edge is not None
    has_older = edge is not None if backwards else more
    return CursorPage(
        rows,
        newer=_encode(rows[0], order, True) if rows and has_newer else "",
        older=_encode(rows[-1], order, False) if rows and has_older else "",
    )


def _beyond(order: tuple[str, ...], edge: list[Any], backwards: bool) -> Q:
    """Rows after the edge: (a, b) > (x, y) written as `a ≥ x and (a > x or b > y)`, which an index can follow."""
    condition = Q()
    for name, value in reversed(list(zip(order, edge, strict=True))):
        column = name.lstrip("-")
        operator = "lt" if name.startswith("-") != backwards else "gt"
        step = Q(**{f"{column}__{operator}": value})
        condition = (
            Q(**{f"{column}__{operator}e": value}) & (step | Q(**{column: value}) & condition) if condition else step
        )
    return condition


def _reverse(order: tuple[str, ...]) -> list[str]:
    return [name[1:] if name.startswith("-") else f"-{name}" for name in order]


def _encode(row: Model, order: tuple[str, ...], backwards: bool) -> str:
    values = [getattr(row, name.lstrip("-")) for name in order]
    parts = [{"at": value.isoformat()} if isinstance(value, datetime) else value for value in values]
    text = json.dumps([backwards, parts], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, length: int) -> tuple[bool, list[Any] | None]:
    try:
        backwards, parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        return False, None
    if not isinstance(parts, list) or len(parts) != length:
        return False, None
    return bool(backwards), parts


def _value(part: Any) -> Any:
    if isinstance(part, dict):
        return datetime.fromisoformat(part["at"])
    if not isinstance(part, str | int) or (isinstance(part, str) and "\0" in part):
        raise ValueError("no sort key")
    return part
