"""Management tokens: the credentials of a company's scripts. Create, rotate by hand (make a new one), revoke, check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils import timezone

from keys import tokens
from keys.errors import CompanyInactive, LifetimeInvalid, ScopeBeyondRights, ScopeUnknown
from keys.models import ManagementScope, ManagementToken
from keys.peppers import newest, peppers, redigests
from keys.services import LONGEST_LIFE
from keys.values import new_value
from portal.audit.services import Target, record
from portal.companies.models import Company, Membership
from portal.companies.second_factor import owes_second_factor
from portal.logs import redact

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor

# The act (portal/companies/roles.py) that the token's maker must be allowed, for each scope.
ACT_OF: Final[dict[str, str]] = {
    ManagementScope.KEYS_READ: "key:view",
    # Creating may be narrowed by the company's policy (keys/policy), which keys/services.py asks.
    ManagementScope.KEYS_WRITE: "key:manage_own",
    ManagementScope.SERVERS_READ: "server:view",
    ManagementScope.SERVERS_WRITE: "server:manage",
    ManagementScope.USAGE_READ: "usage:view",
    ManagementScope.AUDIT_READ: "audit:view",
}
USED_EVERY = timedelta(minutes=1)  # how exactly `last_used_at` is kept


class TokenRefused(Exception):
    """No good management token: unknown, wrong, expired, revoked, its maker gone or without the factor that the company
    asks for, or its company closed.
    """


@dataclass(frozen=True, slots=True)
class Caller:
    """A script that showed a good management token: what it may do, and for whom."""

    token: ManagementToken
    membership: Membership

    @property
    def company(self) -> Company:
        """The company that it acts for."""
        return self.token.company

    def may(self, scope: str) -> bool:
        """Whether the token has `scope` and its maker's role still reaches it."""
        return scope in self.token.scopes and self.membership.may(ACT_OF[scope])


@transaction.atomic
def create_token(
    *, company: Company, user: User, name: str, scopes: Iterable[str], expires_at: datetime | None, actor: Actor
) -> tuple[ManagementToken, tokens.Token]:
    """Make a management token of `company` that acts for the member `user`; its value is returned this once.

    Raises CompanyInactive, ScopeUnknown, ScopeBeyondRights, LifetimeInvalid.
    """
    company = Company.objects.select_for_update().get(pk=company.pk)
    if not company.is_active:
        raise CompanyInactive
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(ManagementScope.values):
        raise ScopeUnknown
    membership = Membership.objects.filter(company=company, user=user).first()
    if membership is None or not all(membership.may(ACT_OF[scope]) for scope in wanted):
        raise ScopeBeyondRights
    if expires_at is not None and not timezone.now() < expires_at <= timezone.now() + LONGEST_LIFE:
        raise LifetimeInvalid
    token, stored = new_value(tokens.Kind.MANAGEMENT)
    made = ManagementToken.objects.create(
        **stored, company=company, user=user, name=name.strip(), scopes=wanted, expires_at=expires_at
    )
    record("token:created", actor=actor, company=company, target=_target(made), data={"scopes": wanted})
    return made, token


@transaction.atomic
def revoke_token(*, token: ManagementToken, reason: str, actor: Actor) -> ManagementToken:
    """Refuse `token` from now on. Safe to repeat."""
    token = ManagementToken.objects.select_for_update().get(pk=token.pk)
    if token.revoked_at is None:
        token.revoked_at, token.revoked_reason = timezone.now(), redact(reason)[:300]
        token.save(update_fields=["revoked_at", "revoked_reason"])
        record("token:revoked", actor=actor, company=token.company_id, target=_target(token), reason=reason)
    return token


def check_token(text: str) -> Caller:
    """The caller whose management token `text` is. Raises TokenRefused."""
    try:
        parsed = tokens.parse(text)
    except tokens.MalformedToken:
        raise TokenRefused from None
    if parsed.kind is not tokens.Kind.MANAGEMENT:
        raise TokenRefused
    found = ManagementToken.objects.select_related("company", "user").filter(pk=parsed.id).first()
    stored, pepper = (bytes(found.digest), found.pepper) if found else (bytes(32), newest()[0])
    if not tokens.matches(parsed.text, stored, pepper, peppers()) or found is None:
        raise TokenRefused
    if not found.is_usable or not found.user.is_active or not found.company.is_active:
        raise TokenRefused
    memberships = Membership.objects.select_related("company")
    membership = memberships.filter(company_id=found.company_id, user_id=found.user_id).first()
    if membership is None or owes_second_factor(found.company, found.user):
        raise TokenRefused
    redigests.note("token", found.pk, parsed.text, found.pepper, bytes(found.digest))
    now = timezone.now()
    if found.last_used_at is None or now - found.last_used_at > USED_EVERY:
        ManagementToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return Caller(found, membership)


def _target(token: ManagementToken) -> Target:
    return Target("token", token.pk, token.name)
