"""What staff see, over all companies. Every list follows an index, so that it stays quick at a million keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.cache import cache
from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from keys.models import CredentialState, Key, McpServer, ServerCredential
from portal.companies.models import Company, CompanyState, Membership
from portal.counting import counts
from portal.staff import searches
from portal.staff.searches import is_broad

COUNTED = 10_000  # a count stops here: beyond it the exact number tells nobody anything

# Sort → (columns with the primary key last, what must hold of the rows so that no column is null).
KEY_SORTS: Final[dict[str, tuple[tuple[str, ...], dict[str, Any]]]] = {
    "newest": (("-created_at", "id"), {}),
    "oldest": (("created_at", "-id"), {}),
    "expiring": (("expires_at", "id"), {"revoked_at__isnull": True, "expires_at__isnull": False}),
    "revoked": (("-revoked_at", "id"), {"revoked_at__isnull": False}),
}
COMPANY_SORTS: Final[dict[str, tuple[str, ...]]] = {
    "newest": ("-created_at", "id"),
    "oldest": ("created_at", "-id"),
    "name": ("name", "id"),
}


@dataclass(frozen=True, slots=True)
class Totals:
    """How many companies and keys are in each state, counted at `at`."""

    companies: dict[str, int]
    keys: dict[str, int]
    servers: int
    stopped: int
    at: datetime


def totals() -> Totals:
    """The figures of the dashboard, counted at most once a minute: two queries."""
    found: Totals | None = cache.get("staff:totals")
    if found is None:
        now = timezone.now()
        states = dict(Company.objects.order_by().values_list("state").annotate(Count("pk")))
        here = McpServer.objects.filter(archived_at=None)
        numbers = counts(
            _keys_to_count(now) | {"servers": here, "stopped": here.filter(stopped_at__isnull=False)},
        )
        found = Totals(
            {state: states.get(state, 0) for state in CompanyState.values},
            _key_totals(numbers),
            numbers["servers"],
            numbers["stopped"],
            now,
        )
        cache.set("staff:totals", found, 60)
    return found


def _keys_to_count(now: datetime) -> dict[str, QuerySet[Any]]:
    """What key totals are made of, each counted by an index alone; rotated keys are few enough to be looked at."""
    kept = Key.objects.filter(revoked_at=None)
    rotated = kept.filter(_rotated()).exclude(expires_at__lte=now)
    return {
        "total": Key.objects.all(),
        "revoked": Key.objects.filter(revoked_at__isnull=False),
        "expired": kept.filter(expires_at__lte=now),
        "over": rotated.filter(overlap_ends_at__lte=now),
        "rotating": rotated.filter(overlap_ends_at__gt=now),
    }


def _key_totals(numbers: dict[str, int]) -> dict[str, int]:
    revoked, rotating, expired = numbers["revoked"], numbers["rotating"], numbers["expired"] + numbers["over"]
    found = {
        CredentialState.ACTIVE: numbers["total"] - revoked - expired - rotating,
        CredentialState.ROTATING: rotating,
        CredentialState.EXPIRED: expired,
        CredentialState.REVOKED: revoked,
    }
    return {state: found[CredentialState(state)] for state in CredentialState.values}


def _rotated() -> Q:
    """Keys that a newer value replaces."""
    return Q(pk__in=Key.objects.filter(replaces__isnull=False).values("replaces"))


def _in_state(found: QuerySet[Key], state: str, now: datetime) -> QuerySet[Key]:
    """The keys of `found` in `state`, as CredentialQuerySet.in_state finds them.

    Written as one expression, so that the database walks the index of the order and stops at the page's end, instead
    of collecting every match through the indexes of expiry and sorting a million rows.
    """
    if state == CredentialState.ROTATING:
        found = found.filter(_rotated())
    ended = Key.objects.order_by().filter(revoked_at=None, expires_at__lte=now)
    if state == CredentialState.EXPIRED and not is_broad(ended):
        # So few that the walk would pass nearly all keys before it met a page of them.
        replaced = Key.objects.order_by().filter(_rotated(), revoked_at=None, overlap_ends_at__lte=now)
        return found.filter(pk__in=ended.values("pk").union(replaced.values("pk")))
    over = Q(expires_at__lte=now) | Q(overlap_ends_at__lte=now)
    return found.alias(
        state_now=Case(
            When(revoked_at__isnull=False, then=Value(CredentialState.REVOKED)),
            When(over, then=Value(CredentialState.EXPIRED)),
            When(overlap_ends_at__isnull=False, then=Value(CredentialState.ROTATING)),
            default=Value(CredentialState.ACTIVE),
        )
    ).filter(state_now=state)


def companies(*, query: str = "", state: str = "") -> QuerySet[Company]:
    """Companies whose name begins with `query`, or by slug, id or a member's address.

    Each with `member_count` and `key_count` (in use).
    """
    found = Company.objects.all()
    if query:
        found = searches.companies(query).of(found)
    if state:
        found = found.filter(state=state)
    return found.annotate(
        member_count=_count(Membership.objects.filter(company=OuterRef("pk")), "company"),
        key_count=_count(Key.objects.usable().filter(company=OuterRef("pk")), "company"),
    )


def fitting_sort(state: str, sort: str) -> str:
    """`sort`, or another order where it leaves nothing of `state`: what has ended expires no more."""
    if state == CredentialState.REVOKED:
        return "revoked" if sort == "expiring" else sort
    empty = {"revoked", "expiring"} if state == CredentialState.EXPIRED else {"revoked"}
    return "newest" if state and sort in empty else sort


def keys(
    *, query: str = "", state: str = "", server: str = "", company: str = "", user: str = "", sort: str = "newest"
) -> QuerySet[Key]:
    """Keys of all companies with company, server and member: by visible part, id, name, company or person."""
    found = searches.keys(query) if query else Key.objects.all()
    found = found.filter(**KEY_SORTS[sort][1])
    if state:
        found = _in_state(found, state, timezone.now())
    if sort == "expiring":
        found = found.filter(expires_at__gt=timezone.now())
    narrow = {"server_id": server, "company_id": company, "user_id": user}
    found = found.filter(**{name: value for name, value in narrow.items() if value})
    # Prefetched, not joined: a join lets the database leave the index of the order.
    return found.select_related(None).prefetch_related("company", "server", "user").defer("digest")


def key(key_id: str) -> Key | None:
    """The key with all that its page shows, in one query; None if there is none."""
    related = ("company", "server", "user", "replaces", "replaced_by")
    return Key.objects.select_related(*related).defer("digest").filter(pk=key_id).first()


def values_of(key: Key, most: int = 12) -> list[Key]:
    """The values before and after `key`, in the order they were made, with `key` itself: one query a step."""
    plain = Key.objects.defer("digest")
    found = [key]
    while len(found) < most and found[0].replaces_id and (older := plain.filter(pk=found[0].replaces_id).first()):
        found.insert(0, older)
    # The key's own page has read what replaces it.
    while len(found) < most and (newer := _newer(found[-1], plain)):
        found.append(newer)
    return found if len(found) > 1 else []


def _newer(key: Key, plain: QuerySet[Key]) -> Key | None:
    if Key.replaced_by.is_cached(key):
        return getattr(key, "replaced_by", None)
    return plain.filter(replaces=key.pk).first()


def keys_in_use(ids: list[str]) -> list[Key]:
    """Those of the keys `ids` that were not revoked yet, with company, server and member."""
    found = Key.objects.filter(pk__in=ids, revoked_at=None).select_related("company", "server", "user")
    return list(found.defer("digest").order_by("company__name", "name", "pk"))


def latest_companies(count: int = 6) -> list[Company]:
    """The companies that signed up last."""
    return list(Company.objects.order_by("-created_at")[:count])


def latest_revocations(count: int = 6) -> list[Key]:
    """The keys that were revoked last."""
    return list(
        Key.objects.filter(revoked_at__isnull=False)
        .select_related("company", "server")
        .defer("digest")
        .order_by("-revoked_at")[:count]
    )


def servers(*, query: str = "", owner: str = "") -> QuerySet[McpServer]:
    """MCP servers with their company, `credential_count` (in use) and `verified_at`; owner `everyone` or `company`."""
    found = McpServer.objects.select_related("company")
    if query:
        found = searches.servers(query).of(found)
    if owner:
        found = found.filter(company__isnull=owner == "everyone")
    own = ServerCredential.objects.filter(server=OuterRef("pk"))
    return found.annotate(
        credential_count=_count(own.usable(), "server"),
        verified_at=Subquery(own.order_by(F("last_used_at").desc(nulls_last=True)).values("last_used_at")[:1]),
    )


def server_choices() -> list[tuple[str, str]]:
    """Servers open to everyone, for a filter; a company's own one is found by its company."""
    return list(McpServer.objects.filter(company=None).order_by("name").values_list("pk", "name"))


def counted(found: QuerySet[Any]) -> tuple[int, bool]:
    """How many rows `found` has, and whether counting stopped before the end."""
    number = found.order_by()[: COUNTED + 1].count()
    return min(number, COUNTED), number > COUNTED


def _count(rows: QuerySet[Any], group: str) -> Coalesce:
    counts = rows.order_by().values(group).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counts), 0)
