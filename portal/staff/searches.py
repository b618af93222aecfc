"""What staff's words may mean, in each list: names that begin with them, and ids, slugs or addresses that are them.

Words that begin few names are looked up, and their ids written into the query: a database that is left to guess how
many there are reads a million keys to sort ten. Words that begin more than BROAD are half of everything: collecting
and sorting that takes seconds, while a list that walks along its order and tests each row meets a page of them soon.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Final, TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from keys.leaks.models import Leak
from keys.models import Key, McpServer
from keys.oauth.models import Connection
from keys.selectors import find_keys
from portal.accounts.models import User
from portal.companies.models import Company, Membership
from portal.prefixes import begins

Row = TypeVar("Row", bound=Model)
BROAD: Final = 500  # words that begin so many names are no narrow search any more
_VISIBLE_PART = re.compile(r"lk_(?:live|test)_[0-9A-Za-z]{12}")


@dataclass(frozen=True, slots=True)
class Search:
    """Rows of `model` of which one of `names` or of `exact` holds, or that lead to a row of another search by a column.

    `names`: how texts begin, of which there may be many. `exact`: what an index tells at once.
    """

    model: type[Model]
    names: list[Q] = field(default_factory=list)
    exact: list[Q] = field(default_factory=list)
    related: dict[str, Search] = field(default_factory=dict)

    def of(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Those of `rows` that are meant, quick in an order that an index has, however many they are."""
        few = self.few()
        return rows.filter(self.test() if few is None else few)

    def few(self) -> Q | None:
        """What is meant, by ids; None if the words begin more than BROAD names."""
        named = self._named()
        if named is None:
            return None
        found = reduce(or_, self.exact, Q(pk__in=named))
        for column, other in self.related.items():
            ids = other.ids()
            if ids is None:
                return None
            found |= Q(**{f"{column}__in": ids})
        return found

    def ids(self) -> list[str] | None:
        """The ids of what is meant themselves, of a search that leads to no other; None likewise."""
        named = self._named()
        if named is None:
            return None
        exact = self._plain.filter(reduce(or_, self.exact)) if self.exact else self._plain.none()
        return [*named, *exact.values_list("pk", flat=True)]

    def _named(self) -> list[str] | None:
        named = _first(self._plain.filter(reduce(or_, self.names))) if self.names else []
        return None if len(named) > BROAD else named

    def test(self) -> Q:
        """The same as a condition of each row by itself."""
        return reduce(or_, (*self.names, *self.exact, *self._leads()))

    def _leads(self) -> Iterator[Q]:
        for column, other in self.related.items():
            yield Q(Exists(other._plain.filter(other.test(), pk=OuterRef(column))))

    @property
    def _plain(self) -> QuerySet[Any]:
        return self.model._default_manager.order_by()


def is_broad(rows: QuerySet[Any]) -> bool:
    """Whether there are more than BROAD rows, without going on from there."""
    return len(_first(rows)) > BROAD


def _first(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.order_by().values_list("pk", flat=True)[: BROAD + 1])


def companies(query: str) -> Search:
    """By name, slug, id, or a member's address."""
    exact = [Q(slug=query.lower()), Q(pk=query)]
    if "@" in query:
        members = Membership.objects.filter(user__email=query.lower()).values_list("company", flat=True)
        exact.append(Q(pk__in=list(members)))
    return Search(Company, [begins("name", query)], exact)


def people(query: str) -> Search:
    """By name, e-mail address or id; by address alone if it has an @."""
    if "@" in query:
        return Search(User, [begins("email", query)])
    return Search(User, [begins("email", query), begins("name", query)], [Q(pk=query)])


def keys(query: str) -> QuerySet[Key]:
    """By the visible part of a value or an id, else by name, person or company."""
    if visible := _VISIBLE_PART.search(query):
        return find_keys(visible[0])
    if re.fullmatch(r"[0-9A-Za-z]{12}", query) and Key.objects.filter(pk=query).exists():
        return find_keys(query)
    return _held(Key, query, [begins("name", query)]).of(Key.objects.all())


def connections(query: str) -> Search:
    """By name or host of the client, person, company or id."""
    names = [begins("client_name", query), begins("client_host", query)]
    return _held(Connection, query, names, [Q(pk=query)])


def servers(query: str) -> Search:
    """By name, title, address (with or without its scheme), company or id."""
    addresses = [query] if "://" in query else [f"https://{query}", f"http://{query}"]
    names = [begins("name", query), begins("title", query), *(begins("url", address) for address in addresses)]
    return Search(McpServer, names, [Q(pk=query)], {"company_id": companies(query)})


def leaks(query: str, subject_id: str) -> Search:
    """By the id or name of what leaked, the incident, the place or the company."""
    names = [begins("subject_name", query), begins("url", query)]
    # Not empty either: the index leaves those out.
    exact = [Q(subject_id=subject_id), Q(incident_id=query) & ~Q(incident_id="")]
    return Search(Leak, names, exact, {"company_id": companies(query)})


def _held(model: type[Model], query: str, names: list[Q], exact: list[Q] | None = None) -> Search:
    """What a person has for a company: words with an @ are about the person alone."""
    if "@" in query:
        return Search(model, related={"user_id": people(query)})
    return Search(model, names, exact or [], {"user_id": people(query), "company_id": companies(query)})
