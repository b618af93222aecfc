"""What an export of a company holds. Each room registers its own data: companies know nothing of keys.

No secret is exported: no digest, no token, no signing key. A test looks for them in a whole export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from portal.companies.models import Company

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dataset:
    """One table of an export: `name` becomes NAME.csv and NAME.json; `rows` yields dicts with exactly `columns`."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[Company], Iterator[Row]]


_DATASETS: Final[list[Dataset]] = []


def register(name: str, columns: tuple[str, ...], rows: Callable[[Company], Iterator[Row]]) -> None:
    """Have this table in every export."""
    _DATASETS.append(Dataset(name, columns, rows))


def datasets() -> list[Dataset]:
    """Every table, by name."""
    return sorted(_DATASETS, key=lambda dataset: dataset.name)


def columns_of(name: str, columns: tuple[str, ...], source: Callable[[Company], Any]) -> None:
    """Register a table whose rows are the columns of a query set as they are; `a__b` is called `a_b`."""
    titles = tuple(column.replace("__", "_") for column in columns)

    def rows(company: Company) -> Iterator[Row]:
        for values in source(company).values_list(*columns).iterator(chunk_size=2000):
            yield dict(zip(titles, values, strict=True))

    register(name, titles, rows)


columns_of(
    "company",
    (
        "id", "name", "slug", "state", "currency", "time_zone", "plan", "created_at", "activated_at", "suspended_at",
        "suspended_reason", "require_second_factor",
    ),
    lambda company: Company.objects.filter(pk=company.pk),
)  # fmt: skip
columns_of(
    "members",
    ("user_id", "user__name", "user__email", "role", "created_at"),
    lambda company: company.memberships.order_by("pk"),
)
columns_of(
    "invitations",
    ("id", "email", "role", "invited_by_id", "created_at", "expires_at", "accepted_at", "withdrawn_at"),
    lambda company: company.invitations.order_by("created_at", "pk"),
)
