"""Reading companies and members. Every query for a person starts from that person's memberships."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.utils import timezone

from portal.companies.models import REOPENABLE, Company, CompanyState, Invitation, Membership
from portal.companies.roles import Role

if TYPE_CHECKING:
    from portal.accounts.models import User


def user_companies(user: User) -> QuerySet[Company]:
    """The companies that `user` is a member of, by name; closed ones left out."""
    return Company.objects.filter(memberships__user=user).exclude(state=CompanyState.CLOSED).order_by("name", "pk")


def user_memberships(user: User) -> QuerySet[Membership]:
    """The memberships of `user` with their companies, by company name; closed companies left out."""
    memberships = Membership.objects.filter(user=user).exclude(company__state=CompanyState.CLOSED)
    return memberships.select_related("company").order_by("company__name", "company_id")


def company_members(company: Company) -> QuerySet[Membership]:
    """The members of `company` with their users, owners first, then by name."""
    order = Case(
        *(When(role=role, then=Value(place)) for place, role in enumerate(Role)),
        default=Value(len(Role)),
        output_field=IntegerField(),
    )
    return company.memberships.select_related("user").order_by(order, "user__name", "pk")


def company_membership(company: Company, user_id: str) -> Membership | None:
    """The membership of the user `user_id` in `company`, or None."""
    return company.memberships.select_related("user").filter(user_id=user_id).first()


def reopenable_memberships(user: User) -> QuerySet[Membership]:
    """The memberships of `user` as an owner of closed companies that can still be opened again."""
    return (
        Membership.objects.filter(user=user, role=Role.OWNER, company__state=CompanyState.CLOSED)
        .filter(company__finalised_at=None, company__closed_at__gt=timezone.now() - REOPENABLE)
        .select_related("company", "user")
        .order_by("company__name", "company_id")
    )


def reopenable_membership(user: User, slug: str) -> Membership | None:
    """One of them, by the company's slug; None if there is none."""
    return reopenable_memberships(user).filter(company__slug=slug).first()


def waiting_invitations(company: Company) -> QuerySet[Invitation]:
    """The invitations of `company` that nobody has accepted or withdrawn, expired ones too, latest first."""
    found = company.invitations.filter(accepted_at=None, withdrawn_at=None)
    return found.select_related("invited_by").order_by("-sent_at", "id")


def company_invitation(company: Company, invitation_id: str) -> Invitation | None:
    """One of them, or None: another company's invitation is as good as none."""
    return waiting_invitations(company).filter(pk=invitation_id).first()
