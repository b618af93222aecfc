"""Lines of the tables on pages of usage, and adding them up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from django.db.models import Q, Sum

from keys.models import Key
from keys.verdicts import Code

ROWS: Final = 10
GOOD_SUM: Final = Sum("count", filter=Q(code=Code.VALID.value), default=0)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: a tool, client, key or outcome. `value` is its id or name, '' for "none given"."""

    value: str
    total: int
    refused: int = 0
    key: Key | None = None
    message: str = ""


@dataclass(slots=True)
class Tally:
    """Requests and refusals by name, added up from several queries."""

    counts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, name: str, total: int, refused: int) -> None:
        """Add so many requests, of which so many were refused."""
        before = self.counts.get(name, (0, 0))
        self.counts[name] = (before[0] + total, before[1] + refused)

    def top(self) -> list[Row]:
        """The ROWS names with most requests."""
        ordered = sorted(self.counts.items(), key=lambda item: (-item[1][0], item[0]))
        return [Row(name, total, refused) for name, (total, refused) in ordered[:ROWS]]
