"""The first call of an AI client: who called what, or why it was refused. The portal's own test of a key is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet

from keys.models import Key, McpServer
from keys.trying.calls import CLIENT
from keys.usage.models import CompanyDay, Sighting, UsageDay
from keys.verdicts import MEANINGS, Code
from portal.companies.models import Company

NOTHING_NEW: Final = 204  # htmx leaves the page as it is


@dataclass(frozen=True, slots=True)
class FirstCall:
    """The latest call as a page shows it.

    `is_connected`: a client was seen, even if it was refused; `has_called`: it was let in, and used a tool where the
    server says which.
    """

    latest: Sighting | None
    is_connected: bool
    has_called: bool

    @property
    def refusal(self) -> str:
        """What the latest call was told, if it was refused."""
        code = self.latest.code if self.latest else ""
        return MEANINGS[Code(code)].message if code in list(Code) and code != Code.VALID else ""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.has_called and not self.refusal

    @property
    def mark(self) -> str:
        """Differs when a page would show something else."""
        return f"{self.latest.pk}-{self.latest.count}-{self.has_called}" if self.latest else "-"


def company_call(company: Company) -> FirstCall:
    """The latest call with any key of `company`."""
    return _call(
        Sighting.objects.filter(company_id=company.pk),
        CompanyDay.objects.filter(company_id=company.pk),
        company.keys.exclude(last_used_at=None).exists(),
    )


def key_call(key: Key) -> FirstCall:
    """The latest call with `key`."""
    return _call(
        Sighting.objects.filter(company_id=key.company_id, key_id=key.pk),
        UsageDay.objects.filter(company_id=key.company_id, key_id=key.pk),
        key.last_used_at is not None,
    )


def _call(sightings: QuerySet[Sighting], days: QuerySet[Any], was_used: bool) -> FirstCall:
    latest = sightings.exclude(client=CLIENT).order_by("-last_at").first()
    if latest is None and was_used:
        # Used, and not seen (sightings are forgotten after some months): by a client, unless the test alone was.
        was_used = not sightings.filter(client=CLIENT).exists() or _good(days).exists()
        return FirstCall(None, was_used, was_used)
    if latest is None:
        return FirstCall(None, False, False)
    return FirstCall(latest, True, _has_called(latest, days))


def _has_called(latest: Sighting, days: QuerySet[Any]) -> bool:
    """The portal's own server names the tool of each call: a client that only looks around has not called yet."""
    if latest.code == Code.VALID and latest.tool:
        return True
    good = _good(days)
    portal = McpServer.objects.filter(is_portal=True).values("pk")
    return good.exclude(tool="").exists() or good.exclude(server_id__in=portal).exists()


def _good(days: QuerySet[Any]) -> QuerySet[Any]:
    return days.filter(code=Code.VALID.value).exclude(client=CLIENT)
