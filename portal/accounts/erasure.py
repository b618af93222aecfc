"""Erasing a person: everything that names them goes, what they did stays in the record, and its chains still verify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import User
from portal.audit.erasure import erase_person
from portal.audit.services import Target, record
from portal.billing.models import CardConfirmation
from portal.companies.errors import CompanyError
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.roles import Role
from portal.companies.services import close_company, remove_member

if TYPE_CHECKING:
    from portal.audit.actors import Actor

ERASED_DOMAIN = "erased.invalid"  # RFC 2606: never anybody's address


class CompaniesWithoutOwner(CompanyError):
    """Companies with other members would be left without an owner."""

    default = _("You are the only owner of a company that has other members. Make one of them an owner first.")


@dataclass(frozen=True, slots=True)
class Plan:
    """What erasing a person does to companies: `leaves` them, `closes` those without other members, or is `held`."""

    leaves: list[Company]
    closes: list[Company]
    held: list[Company]


def plan_for(user: User) -> Plan:
    """What erasing `user` would do: one query."""
    plan = Plan([], [], [])
    others = Membership.objects.filter(company=OuterRef("company")).exclude(user=user)
    memberships = Membership.objects.filter(user=user).exclude(company__state=CompanyState.CLOSED)
    memberships = memberships.annotate(shared=Exists(others), owned=Exists(others.filter(role=Role.OWNER)))
    for membership in memberships.select_related("company").order_by("company__name", "pk"):
        if not membership.shared:
            plan.closes.append(membership.company)
        elif membership.role == Role.OWNER and not membership.owned:
            plan.held.append(membership.company)
        else:
            plan.leaves.append(membership.company)
    return plan


@transaction.atomic
def erase_user(*, user: User, actor: Actor, reason: str = "") -> int:
    """Erase everything that names `user`, in one transaction; returns how many audit events lost their names.

    Companies in which nobody else is are closed, the others left: keys and connections that act for the person end with
    it. The row stays, without name, address and password, since the record and old keys point to it. Raises
    CompaniesWithoutOwner.
    """
    user = User.objects.select_for_update().get(pk=user.pk)
    plan = plan_for(user)
    if plan.held:
        names = ", ".join(company.name for company in plan.held)
        raise CompaniesWithoutOwner(
            _("Nobody else owns %(names)s. Make another member an owner there, or close it first.") % {"names": names}
        )
    for company in plan.closes:
        close_company(company=company, actor=actor)
    for membership in Membership.objects.filter(user=user, company__in=plan.leaves).select_related("company"):
        remove_member(membership=membership, actor=actor)
    CardConfirmation.objects.filter(confirmed_by=user).update(cardholder="")
    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    UserSession.objects.filter(user=user).delete()
    # In hex: ids that differ only in case must not give one address.
    user.email, user.name = f"{user.pk.encode().hex()}@{ERASED_DOMAIN}", ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.last_login = None
    user.set_unusable_password()  # ends every session: each holds a hash of the password that it began with
    user.save()
    user.groups.clear()
    record("account:erased", actor=actor, company=None, target=Target("user", user.pk), reason=reason)
    return erase_person(user.pk)


def is_erased(user: User) -> bool:
    """Whether the person was erased already."""
    return user.email.endswith(f"@{ERASED_DOMAIN}")
