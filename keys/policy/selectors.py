"""What a company's policy says of a key. Asked by keys/services.py, so it holds for pages and API alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone
from django.utils.translation import ngettext

from keys.errors import LifetimeInvalid
from keys.policy.models import KeyPolicy
from portal.companies.models import Company
from portal.companies.roles import Role

_RANK: Final = {role: rank for rank, role in enumerate((Role.OWNER, Role.ADMIN, Role.DEVELOPER, Role.VIEWER))}
# A form that says "90 days" is sent a moment after it was shown, and a script's clock may differ from ours.
_SLACK = timedelta(minutes=5)


def policy_of(company: Company) -> KeyPolicy:
    """The policy of `company`; of one that has set none, an unsaved one that allows everything."""
    found: KeyPolicy | None = getattr(company, "key_policy", None)
    return found or KeyPolicy(company=company)


def reaches_floor(company: Company, role: str) -> bool:
    """Whether a member of `company` with `role` may make keys there, as far as the policy decides."""
    return _RANK[Role(role)] <= _RANK[Role(policy_of(company).makers)]


def check_expiry(company: Company, expires_at: datetime | None) -> None:
    """Refuse a new key that would live longer than `company` allows. Raises LifetimeInvalid, naming the maximum."""
    days = policy_of(company).longest_days
    if days is not None and (expires_at is None or expires_at > timezone.now() + timedelta(days=days) + _SLACK):
        raise LifetimeInvalid(
            ngettext(
                "Keys of this company live %(days)d day at most. Choose an earlier expiry.",
                "Keys of this company live %(days)d days at most. Choose an earlier expiry.",
                days,
            )
            % {"days": days}
        )


def capped_expiry(company: Company, expires_at: datetime | None) -> datetime | None:
    """`expires_at`, or the latest that `company` allows if that is sooner: a rotation must not fail for it."""
    days = policy_of(company).longest_days
    if days is None:
        return expires_at
    latest = timezone.now() + timedelta(days=days)
    return latest if expires_at is None else min(expires_at, latest)
