"""What people do to one company's members at the same moment."""

from __future__ import annotations

import pytest

from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.audit.services import verify_chain
from portal.companies import closing, invitations, services
from portal.companies.errors import CompanyError, InvitationRefused, LastOwner
from portal.companies.models import Invitation
from tests import factories
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def invitation(company, owner) -> Invitation:
    return invitations.invite(
        company=company, email="new@example.com", role="developer", inviter=owner, actor=Actor.user(owner)
    )


def test_an_invitation_accepted_four_times_at_once_makes_one_member(company, invitation):
    person = factories.make_user("Nina New", "new@example.com")
    accept = lambda: invitations.accept(invitation=invitation, user=person, actor=Actor.user(person))  # noqa: E731
    results = at_once(*[accept] * 4)
    assert not [result for result in results if isinstance(result, Exception)], results
    assert company.memberships.filter(user=person).count() == 1
    assert AuditEvent.objects.filter(chain=company.pk, action="member:joined").count() == 1
    assert verify_chain(company.pk).intact


def test_an_invitation_withdrawn_and_accepted_at_once_ends_in_one_of_both(company, invitation):
    person = factories.make_user("Nina New", "new@example.com")
    accepted, withdrawn = at_once(
        lambda: invitations.accept(invitation=invitation, user=person, actor=Actor.user(person)),
        lambda: invitations.withdraw(invitation=invitation, actor=SYSTEM),
    )
    is_member = company.memberships.filter(user=person).exists()
    assert is_member == (not isinstance(accepted, Exception))
    assert isinstance(withdrawn if is_member else accepted, InvitationRefused)


def test_an_address_is_not_invited_twice_at_once(company, owner):
    invite = lambda: invitations.invite(  # noqa: E731
        company=company, email="new@example.com", role="viewer", inviter=owner, actor=Actor.user(owner)
    )
    results = at_once(*[invite] * 4)
    assert len([result for result in results if isinstance(result, CompanyError)]) == 3, results
    assert Invitation.objects.count() == 1


def test_two_owners_who_leave_at_once_leave_one_of_them(company, owner, colleague):
    services.change_role(membership=company.memberships.get(user=colleague), role="owner", actor=SYSTEM)
    results = at_once(
        *[
            lambda member=member: services.remove_member(membership=member, actor=SYSTEM)
            for member in company.memberships.all()
        ]
    )
    assert len([result for result in results if isinstance(result, LastOwner)]) == 1, results
    assert company.memberships.get().role == "owner"


def test_a_company_reopened_by_two_owners_at_once_is_reopened_once(company):
    services.close_company(company=company, actor=SYSTEM)
    results = at_once(*[lambda: closing.reopen_company(company=company, actor=SYSTEM)] * 3)
    assert len([result for result in results if isinstance(result, CompanyError)]) == 2, results
    assert AuditEvent.objects.filter(chain=company.pk, action="company:reopened").count() == 1
