"""The list of a company's keys: search, filter, order, page. All of it in the address, so that it can be shared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Q, QuerySet, Window
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from keys import labels
from keys.attention import BY_SLUG, CONCERNS, Finding, concerned
from keys.models import CredentialState, Key
from keys.selectors import company_labels, company_makers, known_servers, labelled, visible_servers
from keys.tokens import TOKEN_PATTERN
from keys.usage.selectors import daily_uses
from portal.accounts.models import User
from portal.companies.models import Company

PAGE_SIZE = 25
LONGEST_NUMBER: Final = 8  # digits of a page's number
_WHOLE_TOKEN = re.compile(TOKEN_PATTERN, re.ASCII)
_VISIBLE_PART = re.compile(r"lk_(?:live|test)_([0-9A-Za-z]{12})", re.ASCII)

# Column → (words, database order). Those that have never been used, or never expire, come last either way.
SORTS: Final = {
    "name": (_("Name"), F("name").asc()),
    "-name": (_("Name, from the end"), F("name").desc()),
    "-created": (_("Newest first"), F("created_at").desc()),
    "created": (_("Oldest first"), F("created_at").asc()),
    "-used": (_("Last used first"), F("last_used_at").desc(nulls_last=True)),
    "used": (_("Longest unused first"), F("last_used_at").asc(nulls_first=True)),
    "expires": (_("Expires first"), F("expires_at").asc(nulls_last=True)),
    "-expires": (_("Expires last"), F("expires_at").desc(nulls_first=True)),
}
NEWEST: Final = "-created"
# What a row shows. A key, its server and its user have three times as much, and most of it takes long to read.
_SHOWN: Final = (
    "company_id", "name", "hint", "label_text", "scopes", "last_used_at", "expires_at", "overlap_ends_at", "revoked_at",
    "server__name", "user__name", "user__email",
)  # fmt: skip


class FilterForm(forms.Form):
    """What the list can be narrowed by. Anything unknown in the address is left out rather than refused."""

    state = forms.ChoiceField(label=_("State"), required=False)
    server = forms.ChoiceField(label=_("MCP server"), required=False)
    member = forms.ChoiceField(label=_("Member"), required=False)
    label = forms.ChoiceField(label=_("Label"), required=False)
    needs = forms.ChoiceField(label=_("Needs attention"), required=False)
    sort = forms.ChoiceField(label=_("Order"), required=False)

    def __init__(self, *args: Any, company: Company, makers: Iterable[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        servers = [(server.pk, str(server)) for server in visible_servers(company)]
        self._offer("state", [("", _("Every state")), *CredentialState.choices])
        self._offer("server", [("", _("Every server")), *servers])
        self._offer("member", [("", _("Every member")), *((maker.pk, str(maker)) for maker in makers)])
        self._offer("label", [("", _("Every label")), *((word, word) for word in company_labels(company))])
        self._offer("needs", [("", _("Every key")), *((each.slug, each.choice) for each in CONCERNS)])
        self._offer("sort", [(value, words) for value, (words, _order) in SORTS.items()])

    def _offer(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def chosen(self, name: str) -> str:
        """The chosen value of the field `name`, '' for none or an unknown one."""
        self.is_valid()
        return str(self.cleaned_data.get(name, ""))


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list, and what it was narrowed by. `has_keys`: whether the company has any at all.

    `uses`: id of a key of the page → its requests of the last days, for those that had any.
    """

    page: Page[Key]
    form: FilterForm
    query: str
    sort: str
    has_keys: bool
    uses: dict[str, list[int]]

    @property
    def filters(self) -> list[forms.BoundField]:
        """The fields beside the search box."""
        names = ("state", "server", "member", "label", "needs", "sort")
        return [self.form[name] for name in names if self._is_choice(name)]

    def _is_choice(self, name: str) -> bool:
        """A field with nothing to choose is left out: a company without labels, or with one member's keys alone."""
        field = self.form.fields[name]
        assert isinstance(field, forms.ChoiceField)
        least = {"label": 2, "member": 3, "server": 3}.get(name, 0)
        return len(list(cast(Iterable[Any], field.choices))) >= least or bool(self.form.chosen(name))

    @property
    def finding(self) -> Finding | None:
        """What the keys that are found have in common, if they were asked for because of it."""
        concern = BY_SLUG.get(self.form.chosen("needs"))
        return Finding(concern, self.page.paginator.count) if concern else None


def listing(company: Company, address: QueryDict) -> Listing:
    """The keys of `company` that the query string asks for."""
    makers = company_makers(company)
    form = FilterForm({"sort": NEWEST} | address.dict(), company=company, makers=makers)
    query = address.get("q", "").strip()[:120]
    keys: QuerySet[Key] = company.keys.all()
    if query:
        keys = keys.filter(_search(company, makers, query))
    if state := form.chosen("state"):
        keys = keys.in_state(state)  # type: ignore[attr-defined]
    if server := form.chosen("server"):
        keys = keys.filter(server_id=server)
    if member := form.chosen("member"):
        keys = keys.filter(user_id=member)
    if label := form.chosen("label"):
        keys = labelled(keys, label)
    if needs := form.chosen("needs"):
        keys = concerned(company, keys, needs)
    sort = form.chosen("sort") or NEWEST
    ids = keys.order_by(SORTS[sort][1], "-created_at", "id").values_list("pk", flat=True)
    page = _page(company, ids, address.get("page"))
    has_keys = bool(page.paginator.count) or company.keys.exists()
    return Listing(page, form, query, sort, has_keys, daily_uses(page.object_list))


def _page(company: Company, ids: Any, number: str | None) -> Page[Key]:
    """The page `number` of the keys `ids`: found and counted by one query.

    Most orders sort all keys of a company, and ids alone are quick to sort; a week of refusals is added up once.
    """
    wanted = int(number) if number and number.isdecimal() and len(number) < LONGEST_NUMBER else 1
    start = (max(wanted, 1) - 1) * PAGE_SIZE
    rows = list(ids.annotate(total=Window(Count("*"))).values_list("pk", "total")[start : start + PAGE_SIZE])
    paginator = Paginator(ids, PAGE_SIZE)
    if rows or start == 0:  # else it is beyond the end: the paginator counts itself, and gives the last page
        paginator.count = rows[0][1] if rows else 0
    page: Page[Any] = paginator.get_page(number)
    shown = [pk for pk, _total in rows] if page.number == wanted else list(page.object_list)
    found = company.keys.select_related("server", "user").only(*_SHOWN).in_bulk(shown)
    page.object_list = [found[pk] for pk in shown if pk in found]
    return page


def without_secret(query: str) -> str | None:
    """`query` with the visible part in place of each whole key in it; None if there is none.

    A key that somebody pastes into the search box must not stay in the address.
    """
    found = _WHOLE_TOKEN.sub(lambda token: f"lk_{token[1]}_{token[2]}", query)
    return found if found != query else None


def _search(company: Company, makers: Iterable[User], query: str) -> Q:
    """What the words `query` find. Whose names they match is known before: joined to all keys they cost most of it."""
    if found := _VISIBLE_PART.search(query):
        return Q(pk=found[1])
    words = query.lower()
    return (
        Q(name__icontains=query)
        | Q(pk=query)
        | Q(user__in=[maker for maker in makers if words in maker.name.lower() or words == maker.email.lower()])
        | Q(server__in=known_servers(company).filter(name__icontains=query))
        | Q(label_text__contains=labels.to_text([words]))
    )
