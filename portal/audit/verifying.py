"""Verifying every chain once a day, in slices; what is found is kept at the chain, and staff are told of a fault."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import lazy

from portal.audit.actors import SYSTEM
from portal.audit.models import NO_HASH, AuditChain
from portal.audit.services import PLATFORM, Target, Walk, record, walk_chain
from portal.audit.verification import fault_in_words

log = logging.getLogger(__name__)

EVERY: Final = timedelta(hours=20)
BUDGET_SECONDS: Final = 60.0
SLICE: Final = 20_000
BATCH: Final = 200


def verify_due(now: datetime | None = None, *, budget: float = BUDGET_SECONDS) -> int:
    """Verify chains whose last whole walk is longest ago, for `budget` seconds; returns how many were ended.

    A long chain is walked in slices: a run that is stopped, or out of time, is taken up where it was.
    """
    now = now or timezone.now()
    began, ended = time.monotonic(), 0
    new = AuditChain.objects.filter(verified_at=None)
    old = AuditChain.objects.filter(verified_at__lt=now - EVERY).order_by("verified_at")
    while time.monotonic() - began < budget:
        chains = list(new[:BATCH]) or list(old[:BATCH])
        if not chains:
            break
        for chain in chains:
            if time.monotonic() - began >= budget:
                return ended
            ended += verify_slice(chain, now)
    return ended


def verify_slice(chain: AuditChain, now: datetime) -> bool:
    """Walk a slice of `chain` and keep how far it came; True if its end was reached, or a fault."""
    walk = walk_chain(chain, Walk(chain.walked_number, chain.walked_hash), SLICE)
    if not walk.ended:
        _keep(chain, walked_number=walk.number, walked_hash=walk.hash)
        return False
    note_result(chain, walk, now)
    return True


def verify_now(chain: AuditChain) -> Walk:
    """Walk the whole of `chain` and keep what was found."""
    walk = walk_chain(chain, Walk(0, NO_HASH))
    note_result(chain, walk, timezone.now())
    return walk


def note_result(chain: AuditChain, walk: Walk, now: datetime) -> None:
    """Keep what a whole walk found. A fault that is new is recorded on the platform's chain, and told to staff."""
    is_news = bool(walk.fault) and AuditChain.objects.filter(name=chain.name, fault="").exists()
    with transaction.atomic():
        _keep(
            chain, verified_at=now, verified_number=walk.number, walked_number=0, walked_hash=NO_HASH,
            fault=walk.fault, fault_at=(chain.fault_at or now) if walk.fault else None,
        )  # fmt: skip
        if is_news:
            log.error("the audit chain %s does not verify: %s", chain.name, walk.fault)
            record(
                "audit:fault_found", actor=SYSTEM, company=None, target=Target("chain", chain.name, chain.name),
                reason=walk.fault, data={"verified": walk.number},
            )  # fmt: skip
    if is_news:
        tell_staff(chain.name, walk.fault)


def tell_staff(name: str, fault: str) -> None:
    """Mail the operator's staff that the chain `name` does not verify."""
    from portal.accounts import mails  # accounts know the audit room, not the other way round
    from portal.accounts.models import User

    page = f"{settings.PORTAL_URL}{reverse('staff:audit')}?chain={name}"
    context = {"name": name, "fault": lazy(fault_in_words, str)(fault), "page": page, "platform": name == PLATFORM}
    for person in User.objects.staff():
        mails.to_person("audit/mail/fault", person, context).send()


def has_fault() -> bool:
    """Whether any chain did not verify when it was last walked: one query by index."""
    return AuditChain.objects.exclude(fault="").exists()


def _keep(chain: AuditChain, **values: object) -> None:
    # Never `save()`: an event that is added at this moment changes the same row.
    AuditChain.objects.filter(name=chain.name).update(**values)
    for field, value in values.items():
        setattr(chain, field, value)
