"""Changing a company's policy for its new keys, with its audit event in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from keys.errors import LifetimeInvalid
from keys.policy.models import LONGEST_DAYS, KeyPolicy
from keys.rules import checked_addresses
from portal.audit.services import Target, record
from portal.companies.models import Company
from portal.companies.roles import Role

if TYPE_CHECKING:
    from portal.audit.actors import Actor


@transaction.atomic
def set_policy(
    *,
    company: Company,
    default_days: int | None,
    longest_days: int | None,
    makers: str,
    allowed_ips: Iterable[str],
    actor: Actor,
) -> KeyPolicy:
    """Say what new keys of `company` are like. Keys that exist stay as they are.

    Raises LifetimeInvalid if the default is longer than the maximum, AddressInvalid.
    """
    company = Company.objects.select_for_update().get(pk=company.pk)
    if longest_days is not None and not 1 <= longest_days <= LONGEST_DAYS:
        raise LifetimeInvalid
    if longest_days is not None and (default_days is None or default_days > longest_days):
        default_days = longest_days
    policy = KeyPolicy.objects.filter(company=company).first() or KeyPolicy(company=company)
    new = {
        "default_days": default_days,
        "longest_days": longest_days,
        "makers": str(Role(makers)),
        "allowed_ips": checked_addresses(allowed_ips),
    }
    facts = {
        name: {"from": getattr(policy, name), "to": value}
        for name, value in new.items()
        if getattr(policy, name) != value
    }
    if facts:
        for name, value in new.items():
            setattr(policy, name, value)
        policy.changed_at = timezone.now()
        policy.save()
        target = Target("key_policy", company.pk, company.name)
        record("key_policy:updated", actor=actor, company=company, target=target, data=facts)
    return policy
