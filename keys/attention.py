"""Which keys of a company somebody should look at, and why. The overview counts them; the list of keys shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Case, Count, Q, QuerySet, Sum, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from keys.models import Key
from keys.usage.models import RefusalDay
from portal.companies.models import Company

SOON: Final = timedelta(days=14)
NEW: Final = timedelta(days=7)  # a key that is younger may well wait for its client
LONG: Final = timedelta(days=90)
REFUSED: Final = "refused"  # the one concern that is not read off the key itself
REFUSED_DAYS: Final = 7
REFUSED_OFTEN: Final = 10


@dataclass(frozen=True, slots=True)
class Concern:
    """A reason to look at keys: its name in addresses, as a choice of the list, and what to do about it."""

    slug: str
    choice: str | Promise
    sentence: Any  # an ngettext_lazy with %(count)d
    advice: Any  # an ngettext_lazy for as many keys
    icon: str
    tone: str = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """How many keys a concern is about."""

    concern: Concern
    count: int

    @property
    def text(self) -> str:
        """The concern as a sentence with its number."""
        return str(self.concern.sentence % {"count": self.count})

    @property
    def advice(self) -> str:
        """What to do about it, in the number of the keys."""
        return str(self.concern.advice % {"count": self.count})


CONCERNS: Final = (
    Concern(
        "expiring", _("Expires soon"),
        ngettext_lazy("%(count)d key expires within 14 days", "%(count)d keys expire within 14 days", "count"),
        ngettext_lazy(
            "Rotate it in time: the new value gets as long a life again.",
            "Rotate them in time: the new values get as long a life again.", "count",
        ), "clock",
    ),
    Concern(
        REFUSED, _("Refused often"),
        ngettext_lazy(
            "%(count)d key was refused often this week", "%(count)d keys were refused often this week", "count"
        ),
        ngettext_lazy(
            "Its page says why: a tool that it may not use, a limit, an address.",
            "Their pages say why: a tool that they may not use, a limit, an address.", "count",
        ), "x-circle", "danger",
    ),
    Concern(
        "never-used", _("Never used"),
        ngettext_lazy(
            "%(count)d key has not been used since it was made",
            "%(count)d keys have not been used since they were made", "count",
        ),
        ngettext_lazy(
            "Connect its client, or revoke it: what nobody needs can only leak.",
            "Connect their clients, or revoke them: what nobody needs can only leak.", "count",
        ), "plug",
    ),
    Concern(
        "unused", _("Unused for 90 days"),
        ngettext_lazy("%(count)d key is unused for 90 days", "%(count)d keys are unused for 90 days", "count"),
        ngettext_lazy("Revoke it if its work is done.", "Revoke them if their work is done.", "count"), "history",
    ),
    Concern(
        "no-expiry", _("Without expiry"),
        ngettext_lazy("%(count)d key never expires", "%(count)d keys never expire", "count"),
        ngettext_lazy(
            "Replace it by a key with a date, or rotate it by hand now and then.",
            "Replace them by keys with a date, or rotate them by hand now and then.", "count",
        ), "alert",
    ),
)  # fmt: skip
BY_SLUG: Final = {concern.slug: concern for concern in CONCERNS}


def concerned(company: Company, keys: QuerySet[Key], slug: str, *, now: datetime | None = None) -> QuerySet[Key]:
    """Those of `keys`, keys of `company`, that the concern `slug` is about."""
    now = now or timezone.now()
    keys = keys.usable(now)  # type: ignore[attr-defined]
    if slug == REFUSED:
        # As a value of each of its keys, and not as a condition: else PostgreSQL, which expects few to be refused,
        # looks up each refused key by itself.
        refused = Case(When(pk__in=_refused_often(company, now), then=True), default=False)
        return keys.alias(refused_often=refused).filter(refused_often=True)
    return keys.filter(_conditions(now)[slug])


@dataclass(frozen=True, slots=True)
class Standing:
    """How the keys of a company stand: those in use, and what needs attention (nothing that is well)."""

    active: int
    rotating: int
    findings: list[Finding]


def standing(company: Company, *, now: datetime | None = None) -> Standing:
    """How the keys of `company` stand. One query."""
    now = now or timezone.now()
    conditions = _conditions(now)
    usable: Any = company.keys.order_by()
    conditions[REFUSED] = Q(pk__in=_refused_often(company, now))
    counts = usable.usable(now).aggregate(
        active=Count("pk", filter=Q(overlap_ends_at__isnull=True)),
        rotating=Count("pk", filter=Q(overlap_ends_at__isnull=False)),
        **{slug.replace("-", "_"): Count("pk", filter=condition) for slug, condition in conditions.items()},
    )
    found = [Finding(concern, counts[concern.slug.replace("-", "_")]) for concern in CONCERNS]
    return Standing(counts["active"], counts["rotating"], [finding for finding in found if finding.count])


def _conditions(now: datetime) -> dict[str, Q]:
    # A value that was rotated out ends by itself: nothing has to be done about it.
    kept = Q(overlap_ends_at__isnull=True)
    return {
        "expiring": kept & Q(expires_at__lte=now + SOON),
        "never-used": kept & Q(last_used_at__isnull=True, created_at__lte=now - NEW),
        "unused": kept & Q(last_used_at__lte=now - LONG),
        "no-expiry": kept & Q(expires_at__isnull=True),
    }


def _refused_often(company: Company, now: datetime) -> QuerySet[Any]:
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [today - timedelta(days=back) for back in range(REFUSED_DAYS)]
    rows: Any = RefusalDay.objects.filter(period__in=days, company_id=company.pk)
    rows = rows.values("key_id").annotate(refused=Coalesce(Sum("count"), 0))
    found: QuerySet[Any] = rows.filter(refused__gte=REFUSED_OFTEN).values("key_id")
    return found
