"""The life of a company and its members. Every write, each with its audit event in one transaction."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify

from portal.audit.models import ActorKind
from portal.audit.services import Target, record
from portal.companies.errors import (
    AlreadyMember,
    LastOwner,
    NoHeir,
    NotAllowed,
    PlanUnknown,
    SecondFactorMissing,
    WrongState,
)
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.roles import Role
from portal.companies.second_factor import has_second_factor
from portal.companies.signals import (
    company_state_changed,
    company_updated,
    member_removed,
    plan_changed,
    role_changed,
)
from portal.ids import new_id
from portal.names import clean_company_name

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor

SLUG_LENGTH = 48
# Words that an address under /c/ could be mistaken for.
RESERVED_SLUGS = frozenset({"new", "admin", "staff", "api", "support", "security", "help", "system", "platform"})
_SLUG_ATTEMPTS = 5


@transaction.atomic
def create_company(*, name: str, currency: str, owner: User, actor: Actor) -> Company:
    """Make a `pending` company with `owner` as its owner. Raises ValidationError if the name could deceive."""
    name = clean_company_name(name)
    for _attempt in range(_SLUG_ATTEMPTS):
        try:
            with transaction.atomic():  # another sign-up may take the same slug at the same moment
                company = Company.objects.create(name=name, slug=free_slug(name), currency=currency)
            break
        except IntegrityError as error:
            clash = error
    else:
        raise clash
    Membership.objects.create(company=company, user=owner, role=Role.OWNER)
    record("company:created", actor=actor, company=company, target=_target(company), data={"currency": currency})
    return company


def free_slug(name: str) -> str:
    """A readable slug for `name` that no company has: `acme`, then `acme-2`…

    It is random where the name has no Latin letter. After a few of the same name it ends in random characters: counting
    would tell how many there are.
    """
    plain = slugify(unicodedata.normalize("NFKD", name))[:SLUG_LENGTH].strip("-_")
    base = re.sub(r"[-_]{2,}", "-", plain)
    if not base:
        return f"company-{new_id()[:6].lower()}"
    for candidate in (base, f"{base}-2", f"{base}-3"):
        if candidate not in RESERVED_SLUGS and not Company.objects.filter(slug=candidate).exists():
            return candidate
    return f"{base}-{new_id()[:6].lower()}"


@transaction.atomic
def activate_company(*, company: Company, actor: Actor) -> Company:
    """Make a `pending` company `active`. Raises WrongState from any other state."""
    company = _locked(company, CompanyState.PENDING)
    company.state, company.activated_at = CompanyState.ACTIVE, timezone.now()
    return _changed(company, "company:activated", actor)


@transaction.atomic
def suspend_company(*, company: Company, reason: str, actor: Actor) -> Company:
    """Suspend an `active` company: its keys are refused at once. Raises WrongState from any other state."""
    company = _locked(company, CompanyState.ACTIVE)
    company.state, company.suspended_at = CompanyState.SUSPENDED, timezone.now()
    company.suspended_reason = reason[:300]
    return _changed(company, "company:suspended", actor, reason)


@transaction.atomic
def reactivate_company(*, company: Company, actor: Actor) -> Company:
    """Make a `suspended` company `active` again; what was revoked stays revoked. Raises WrongState otherwise."""
    company = _locked(company, CompanyState.SUSPENDED)
    company.state, company.suspended_at, company.suspended_reason = CompanyState.ACTIVE, None, ""
    return _changed(company, "company:reactivated", actor)


@transaction.atomic
def close_company(*, company: Company, actor: Actor) -> Company:
    """Close a company: what acts for it ends at once and for good. Raises WrongState if it is closed already.

    An owner can open it again for 14 days; what happens then: portal/companies/closing.py.
    """
    company = _locked(company, CompanyState.PENDING, CompanyState.ACTIVE, CompanyState.SUSPENDED)
    company.state, company.closed_at = CompanyState.CLOSED, timezone.now()
    return _changed(company, "company:closed", actor)


@transaction.atomic
def change_plan(*, company: Company, plan: str, actor: Actor) -> Company:
    """Give the company another plan: its keys' limits. Raises PlanUnknown; WrongState if it is closed."""
    if plan not in settings.PLANS:
        raise PlanUnknown
    company = _locked(company, CompanyState.PENDING, CompanyState.ACTIVE, CompanyState.SUSPENDED)
    old, company.plan = company.plan, plan
    if old == plan:
        return company
    company.save(update_fields=["plan"])
    facts = {"plan": plan, "old_plan": old}
    record("company:plan_changed", actor=actor, company=company, target=_target(company), data=facts)
    plan_changed.send(sender=Company, company=company, actor=actor)
    return company


@transaction.atomic
def add_member(*, company: Company, user: User, role: str, actor: Actor) -> Membership:
    """Make `user` a member with `role`. Raises AlreadyMember; WrongState if the company is closed."""
    company = _locked(company, CompanyState.PENDING, CompanyState.ACTIVE, CompanyState.SUSPENDED)
    if company.memberships.filter(user=user).exists():
        raise AlreadyMember
    membership = Membership.objects.create(company=company, user=user, role=Role(role))
    action = "member:joined" if _is_same_person(actor, user) else "member:added"
    record(action, actor=actor, company=company, target=_member(membership), data={"role": str(role)})
    return membership


@transaction.atomic
def change_role(*, membership: Membership, role: str, actor: Actor) -> Membership:
    """Give a member another role. Raises LastOwner if the company would have no owner."""
    membership = _locked_membership(membership)
    old, membership.role = membership.role, Role(role)
    if old == membership.role:
        return membership
    if old == Role.OWNER:
        _refuse_last_owner(membership)
    membership.save(update_fields=["role"])
    record(
        "member:role_changed",
        actor=actor,
        company=membership.company,
        target=_member(membership),
        data={"role": str(membership.role), "old_role": str(old)},
    )
    role_changed.send(sender=Membership, membership=membership, actor=actor)
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, actor: Actor, heir: Membership | None = None) -> None:
    """End a membership, the member's own will or not. Raises LastOwner for the last owner.

    Who listens ends what acted for the member, or hands it over to `heir`, another member. Raises NoHeir if that is
    none.
    """
    membership = _locked_membership(membership)
    if heir is not None:
        heir = membership.company.memberships.select_related("user").filter(pk=heir.pk).first()
        if heir is None or heir.pk == membership.pk:
            raise NoHeir
    if membership.role == Role.OWNER:
        _refuse_last_owner(membership)
    company, user = membership.company, membership.user
    data = {"role": str(membership.role)} | ({"heir": heir.user_id} if heir else {})
    action = "member:left" if _is_same_person(actor, user) else "member:removed"
    record(action, actor=actor, company=company, target=_member(membership), data=data)
    membership.delete()
    member_removed.send(sender=Membership, company=company, user=user, actor=actor, heir=heir)


@transaction.atomic
def transfer_ownership(*, membership: Membership, to: Membership, actor: Actor) -> Membership:
    """Make the member `to` an owner and the owner `membership` an admin, in one step. Returns the new owner.

    Raises NotAllowed unless `membership` is an owner's, NoHeir if `to` is not another member of the same company.
    """
    membership = _locked_membership(membership)
    heir = membership.company.memberships.filter(pk=to.pk).first()
    if membership.role != Role.OWNER:
        raise NotAllowed
    if heir is None or heir.pk == membership.pk:
        raise NoHeir
    record("company:transferred", actor=actor, company=membership.company, target=_member(heir))
    heir = change_role(membership=heir, role=Role.OWNER, actor=actor)
    change_role(membership=membership, role=Role.ADMIN, actor=actor)
    return heir


@transaction.atomic
def update_company(*, company: Company, user: User, actor: Actor, **changes: Any) -> Company:
    """Change `name`, `currency`, `time_zone` or `require_second_factor`; others stay. The slug stays what it is.

    Raises ValidationError if the name could deceive; SecondFactorMissing if `user` asks others for a second factor and
    has none; TypeError for any other field.
    """
    if unknown := changes.keys() - {"name", "currency", "time_zone", "require_second_factor"}:
        raise TypeError(f"update_company cannot change {', '.join(sorted(unknown))}")
    company = _locked(company, CompanyState.PENDING, CompanyState.ACTIVE, CompanyState.SUSPENDED)
    if "name" in changes:
        changes["name"] = clean_company_name(changes["name"])
    changed = {field: value for field, value in changes.items() if getattr(company, field) != value}
    if changed.get("require_second_factor") and not has_second_factor(user):
        raise SecondFactorMissing
    if changed:
        before = {field: str(getattr(company, field)) for field in changed}
        for field, value in changed.items():
            setattr(company, field, value)
        company.save(update_fields=list(changed))
        facts = {field: {"from": before[field], "to": str(value)} for field, value in changed.items()}
        data = {"fields": sorted(changed)} | facts
        record("company:updated", actor=actor, company=company, target=_target(company), data=data)
        company_updated.send(sender=Company, company=company, actor=actor, fields=sorted(changed))
    return company


def _locked(company: Company, *states: CompanyState) -> Company:
    """The row of `company`, locked until the transaction ends. Raises WrongState unless in one of `states`."""
    company = Company.objects.select_for_update().get(pk=company.pk)
    if company.state not in states:
        raise WrongState
    return company


def _locked_membership(membership: Membership) -> Membership:
    # The company's row is the lock for its roles: two owners cannot each remove the other at the same moment.
    Company.objects.select_for_update().get(pk=membership.company_id)
    return Membership.objects.select_related("company", "user").get(pk=membership.pk)


def _refuse_last_owner(membership: Membership) -> None:
    others = Membership.objects.filter(company=membership.company, role=Role.OWNER).exclude(pk=membership.pk)
    if not others.exists():
        raise LastOwner


def _is_same_person(actor: Actor, user: User) -> bool:
    return actor.kind == ActorKind.USER and actor.id == user.pk


def _changed(company: Company, action: str, actor: Actor, reason: str = "") -> Company:
    company.save(
        update_fields=["state", "activated_at", "suspended_at", "suspended_reason", "closed_at"],
    )
    record(action, actor=actor, company=company, target=_target(company), reason=reason)
    company_state_changed.send(sender=Company, company=company, actor=actor)
    return company


def _target(company: Company) -> Target:
    return Target("company", company.pk, company.name)


def _member(membership: Membership) -> Target:
    return Target("user", membership.user_id, f"{membership.user.name} <{membership.user.email}>")
