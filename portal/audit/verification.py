"""Whether a chain holds, for pages: remembered for a while, since verifying walks the whole chain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.core.cache import cache
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _l

from portal.audit.models import AuditChain
from portal.audit.services import verify_chain

REMEMBERED = 600  # seconds
INLINE = 5_000  # a chain up to this length is verified when its page is looked at
# What portal/audit/services.py says of a chain, and keeps with it.
_FAULTS: Final[tuple[tuple[str, str | Promise], ...]] = (
    (r"event (\d+) is missing", _l("event %(number)s is missing")),
    (r"event (\d+) was changed", _l("event %(number)s was changed")),
    (r"events after (\d+) are missing", _l("events after %(number)s are missing")),
    (r"its end is not the one that was noted()", _l("its end is not the one that was noted")),
    (r"its end was not noted()", _l("its end was not noted")),
)


def fault_in_words(fault: str) -> str:
    """`fault`, which is kept in English, in the reader's language."""
    for form, words in _FAULTS:
        if found := re.fullmatch(form, fault):
            return str(words) % {"number": found[1]}
    return fault


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

    @property
    def fault_in_words(self) -> str:
        """What is wrong with it, in the reader's language."""
        return fault_in_words(self.fault)


def chain_state(name: str, *, now: bool = False) -> ChainState:
    """The state of the chain `name`: what the daily walk or a look of this page found, whichever was later.

    `now` verifies it whatever its length and whatever is remembered; so does a short chain that nobody walked yet.
    """
    chain = AuditChain.objects.filter(name=name).first() or AuditChain(name=name)
    place = f"audit-chain:{name}"
    found: ChainState | None = None if now else cache.get(place)
    if (
        chain.verified_at
        and not now
        and (found is None or (found.checked_at or chain.verified_at) <= chain.verified_at)
    ):
        return ChainState(chain.length, chain.verified_number, chain.fault, chain.verified_at)
    if found is None:
        if not now and chain.length > INLINE:
            return ChainState(chain.length)
        report = verify_chain(name)
        found = ChainState(chain.length, report.verified, report.fault, timezone.now())
        cache.set(place, found, REMEMBERED)
    return ChainState(chain.length, found.verified, found.fault, found.checked_at)
