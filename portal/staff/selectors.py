"""What staff see, over all companies. Every list follows an index, so that it stays quick at a million keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from django.core.cache import cache
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from keys.models import CredentialQuerySet, CredentialState, Key, McpServer, ServerCredential
from keys.selectors import find_keys
from portal.accounts.models import User
from portal.companies.models import Company, CompanyState, Membership

COUNTED = 10_000  # a count stops here: beyond it the exact number tells nobody anything
MATCHES = 200  # companies and people that a search for keys follows
_VISIBLE_PART = re.compile(r"lk_(?:live|test)_[0-9A-Za-z]{12}")

# Sort → (columns with the primary key last, what must hold of the rows so that no column is null).
KEY_SORTS: Final[dict[str, tuple[tuple[str, ...], dict[str, Any]]]] = {
    "newest": (("-created_at", "id"), {}),
    "oldest": (("created_at", "-id"), {}),
    "expiring": (("expires_at", "id"), {"revoked_at__isnull": True, "expires_at__isnull": False}),
    "revoked": (("-revoked_at", "id"), {"revoked_at__isnull": False}),
}
COMPANY_SORTS: Final[dict[str, tuple[str, ...]]] = {
    "newest": ("-created_at", "id"),
    "oldest": ("created_at", "id"),
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
    """The figures of the dashboard, counted at most once a minute: three queries."""
    found: Totals | None = cache.get("staff:totals")
    if found is None:
        now = timezone.now()
        states = dict(Company.objects.order_by().values_list("state").annotate(Count("pk")))
        revoked, over = Q(revoked_at__isnull=False), Q(expires_at__lte=now) | Q(overlap_ends_at__lte=now)
        keys = Key.objects.aggregate(
            total=Count("pk"),
            revoked=Count("pk", filter=revoked),
            expired=Count("pk", filter=~revoked & over),
            rotating=Count("pk", filter=Q(revoked_at=None, overlap_ends_at__gt=now) & _unexpired(now)),
        )
        keys["active"] = keys.pop("total") - keys["revoked"] - keys["expired"] - keys["rotating"]
        servers = McpServer.objects.filter(archived_at=None).aggregate(
            servers=Count("pk"), stopped=Count("pk", filter=Q(stopped_at__isnull=False))
        )
        found = Totals(
            {state: states.get(state, 0) for state in CompanyState.values},
            {state: keys[state] for state in CredentialState.values},
            servers["servers"],
            servers["stopped"],
            now,
        )
        cache.set("staff:totals", found, 60)
    return found


def _unexpired(now: datetime) -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=now)


def companies(*, query: str = "", state: str = "") -> QuerySet[Company]:
    """Companies by name, slug, id or a member's address, each with `member_count` and `key_count` (in use)."""
    found = Company.objects.all()
    if state:
        found = found.filter(state=state)
    if query:
        of_member = Membership.objects.filter(user__email=query.lower()).values("company")
        found = found.filter(Q(name__icontains=query) | Q(slug__icontains=query) | Q(pk=query) | Q(pk__in=of_member))
    return found.annotate(
        member_count=_count(Membership.objects.filter(company=OuterRef("pk")), "company"),
        key_count=_count(Key.objects.usable().filter(company=OuterRef("pk")), "company"),
    )


def keys(
    *, query: str = "", state: str = "", server: str = "", company: str = "", user: str = "", sort: str = "newest"
) -> QuerySet[Key]:
    """Keys of all companies with company, server and member: by visible part, id, name, company or person."""
    found = cast(CredentialQuerySet, _matching_keys(query) if query else Key.objects.all())
    found = found.filter(**KEY_SORTS[sort][1])
    if state:
        found = found.in_state(state)
    if sort == "expiring":
        found = found.filter(expires_at__gt=timezone.now())
    narrow = {"server_id": server, "company_id": company, "user_id": user}
    found = found.filter(**{name: value for name, value in narrow.items() if value})
    return found.select_related("company", "server", "user").defer("digest")


def _matching_keys(query: str) -> QuerySet[Key]:
    if visible := _VISIBLE_PART.search(query):
        return find_keys(visible[0])
    if re.fullmatch(r"[0-9A-Za-z]{12}", query) and Key.objects.filter(pk=query).exists():
        return find_keys(query)
    of_company = Company.objects.filter(Q(name__icontains=query) | Q(slug=query.lower()) | Q(pk=query))
    of_user = User.objects.filter(Q(email__icontains=query) | Q(name__icontains=query) | Q(pk=query))
    return Key.objects.filter(
        Q(company_id__in=list(of_company.order_by().values_list("pk", flat=True)[:MATCHES]))
        | Q(user_id__in=list(of_user.order_by().values_list("pk", flat=True)[:MATCHES]))
        | Q(name__icontains=query)
    )


def key(key_id: str) -> Key | None:
    """The key with all that its page shows, in one query; None if there is none."""
    related = ("company", "server", "user", "replaces", "replaced_by")
    return Key.objects.select_related(*related).defer("digest").filter(pk=key_id).first()


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
        found = found.filter(
            Q(name__icontains=query) | Q(title__icontains=query) | Q(url__icontains=query)
            | Q(company__name__icontains=query) | Q(pk=query)
        )  # fmt: skip
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
