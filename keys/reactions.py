"""What happens to keys when a company or a membership changes: companies themselves know nothing of keys."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from portal.companies.signals import company_state_changed, member_removed

from keys import feed, services
from keys.models import Key
from portal.audit.actors import Actor
from portal.companies.models import Company, CompanyState


@receiver(company_state_changed, dispatch_uid="keys.company_state_changed")
def company_changed(sender: Any, company: Company, actor: Actor, **kwargs: Any) -> None:
    """Verifiers forget the company; a closed company's keys are revoked for good."""
    if company.state == CompanyState.CLOSED:
        ids = company.keys.filter(revoked_at=None).values_list("pk", flat=True)
        services.revoke_keys(key_ids=ids, reason="The company was closed", actor=actor)
    feed.publish_company(company.pk)


@receiver(member_removed, dispatch_uid="keys.member_removed")
def member_gone(sender: Any, company: Company, user: Any, actor: Actor, **kwargs: Any) -> None:
    """The keys that act for a removed member end at once."""
    ids = Key.objects.filter(company=company, user=user, revoked_at=None).values_list("pk", flat=True)
    services.revoke_keys(key_ids=ids, reason="Its member was removed from the company", actor=actor)
