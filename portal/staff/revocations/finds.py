"""What a rule finds, for who is about to revoke it: quick, however much it is. The run itself counts exactly.

Up to WIDE rows are read, once, and all is exact. Of more the number is counted up to COUNTED and reckoned above that;
whose they are is said of the first FIRST of them only: ten thousand ids in a query take half a second to write down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from portal.ids import ALPHABET

Row = TypeVar("Row", bound=Model)
WIDE: Final = 5_000
FIRST: Final = 1_000
COUNTED: Final = 100_000  # counting a million takes a second, and nobody in a hurry asks whether it is 954,112
SAMPLE: Final = 10


@dataclass(frozen=True, slots=True)
class Number:
    """How many there are; not `exact`: about so many."""

    count: int
    exact: bool = True

    def __str__(self) -> str:
        if self.exact:
            return str(intcomma(self.count))
        return _("about %(number)s") % {"number": intcomma(round(self.count, 2 - len(str(self.count))))}

    def __add__(self, other: Number) -> Number:
        return Number(self.count + other.count, self.exact and other.exact)

    def is_meant_by(self, typed: int) -> bool:
        """Whether somebody who typed `typed` has read it: to the last digit, or of about so many within a tenth."""
        return abs(typed - self.count) * 10 <= (0 if self.exact else self.count)


def number_of(rows: QuerySet[Any]) -> Number:
    """How many `rows` there are: counted to COUNTED, above that reckoned from those whose id begins with 0.

    Ids are random (portal/ids.py), so that these are one in 62 of any rows, and the index of ids finds them.
    """
    count = rows.order_by()[: COUNTED + 1].count()
    if count <= COUNTED:
        return Number(count)
    of_sample = rows.order_by().filter(pk__lt=ALPHABET[1]).count()
    return Number(max(count, of_sample * len(ALPHABET)), exact=False)


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """Rows that a rule finds. `companies`: whose they are; if it `is_wide`, whose the first FIRST of them are."""

    number: Number
    latest: list[Row]
    companies: set[str]
    is_wide: bool


def look(rows: QuerySet[Row]) -> Found[Row]:
    """What `rows` are, keys or connections, with the latest of them."""
    # In no order: of a condition that no index follows (a scope) an order would have all rows read.
    first = dict(rows.order_by().values_list("pk", "company")[: WIDE + 1])
    latest = rows.prefetch_related("company", "server", "user").order_by("-created_at", "id")
    if len(first) > WIDE:
        companies = set(list(first.values())[:FIRST])
        return Found(number_of(rows), list(latest[:SAMPLE]), companies, is_wide=True)
    found = list(latest.filter(pk__in=first)[:SAMPLE])
    return Found(Number(len(first)), found, set(first.values()), is_wide=False)
