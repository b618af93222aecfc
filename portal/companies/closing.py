"""The way back of a closed company, and its end.

The rule: closing ends at once and for good what acts for the company. For 14 days an owner can open it again, in the
state that it had: a suspended company comes back suspended. After that nobody can, and a task deletes its
memberships, invitations, exports and cards, and what other rooms delete when they hear `company_finalised`. Its name
stays with the audit record, the revoked keys and the usage, which tell what was done in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from portal.audit.actors import SYSTEM
from portal.audit.services import Target, record
from portal.companies.errors import WrongState
from portal.companies.models import REOPENABLE, Company, CompanyState
from portal.companies.signals import company_finalised, company_state_changed

if TYPE_CHECKING:
    from portal.audit.actors import Actor

AT_ONCE = 100


@transaction.atomic
def reopen_company(*, company: Company, actor: Actor) -> Company:
    """Open a closed company again, in the state that it had. Raises WrongState if it is not closed, or too late.

    What was revoked stays revoked.
    """
    company = Company.objects.select_for_update().get(pk=company.pk)
    if company.reopenable_until is None:
        raise WrongState
    if company.suspended_at:
        company.state = CompanyState.SUSPENDED
    else:
        company.state = CompanyState.ACTIVE if company.activated_at else CompanyState.PENDING
    company.closed_at = None
    company.save(update_fields=["state", "closed_at"])
    record("company:reopened", actor=actor, company=company, target=Target("company", company.pk, company.name))
    company_state_changed.send(sender=Company, company=company, actor=actor)
    return company


def finalise_due(now: datetime | None = None) -> int:
    """End every company that was closed more than 14 days ago. Safe to repeat; returns how many it ended."""
    due = Company.objects.filter(
        state=CompanyState.CLOSED, finalised_at=None, closed_at__lte=(now or timezone.now()) - REOPENABLE
    )
    return sum(_finalise(company_id) for company_id in due.order_by("closed_at").values_list("pk", flat=True)[:AT_ONCE])


@transaction.atomic
def _finalise(company_id: str) -> bool:
    company = Company.objects.select_for_update().get(pk=company_id)
    if company.state != CompanyState.CLOSED or company.finalised_at or company.reopenable_until:
        return False  # reopened, or ended by another worker, meanwhile
    company.finalised_at = timezone.now()
    company.save(update_fields=["finalised_at"])
    data = {"members": company.memberships.count()}
    record("company:finalised", actor=SYSTEM, company=company, target=Target("company", company.pk), data=data)
    company_finalised.send(sender=Company, company=company, actor=SYSTEM)
    for rows in (company.memberships, company.invitations, company.exports):
        rows.all().delete()
    return True
