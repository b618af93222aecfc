"""Whether a chain holds, for pages: remembered for a while, since verifying walks the whole chain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.utils import timezone

from portal.audit.models import AuditChain
from portal.audit.services import verify_chain

REMEMBERED = 600  # seconds
INLINE = 5_000  # a chain up to this length is verified when its page is looked at


@dataclass(frozen=True, slots=True)
class ChainState:
    """How long a chain is, and what verifying it found, if that was done lately."""

    length: int
    verified: int = 0
    fault: str = ""
    checked_at: datetime | None = None

    @property
    def intact(self) -> bool:
        """Whether every event that was verified holds."""
        return self.checked_at is not None and not self.fault


def chain_state(name: str, *, now: bool = False) -> ChainState:
    """The state of the chain `name`; `now` verifies it whatever its length and whatever is remembered."""
    length = AuditChain.objects.filter(name=name).values_list("length", flat=True).first() or 0
    place = f"audit-chain:{name}"
    found: ChainState | None = None if now else cache.get(place)
    if found is None:
        if not now and length > INLINE:
            return ChainState(length)
        report = verify_chain(name)
        found = ChainState(length, report.verified, report.fault, timezone.now())
        cache.set(place, found, REMEMBERED)
    return ChainState(length, found.verified, found.fault, found.checked_at)
