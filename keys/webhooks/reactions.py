"""Companies know nothing of webhooks: what happens to them is told from here."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from keys.models import Key
from keys.webhooks.models import EventType
from keys.webhooks.services import emit
from portal.audit.selectors import target_events
from portal.companies.models import Company
from portal.companies.signals import company_state_changed

# The audit event of the act says what happened: a company that is active now was activated or reactivated.
_TOLD = {
    "company:activated": EventType.COMPANY_ACTIVATED,
    "company:suspended": EventType.COMPANY_SUSPENDED,
    "company:reactivated": EventType.COMPANY_REACTIVATED,
    "company:reopened": EventType.COMPANY_REACTIVATED,
    "company:closed": EventType.COMPANY_CLOSED,
}


@receiver(company_state_changed, dispatch_uid="webhooks.company_state_changed")
def company_changed(sender: Any, company: Company, **kwargs: Any) -> None:
    """Tell the company's endpoints, and those of the MCP servers that it has keys for."""
    act = target_events(company, "company", company.pk).values_list("action", flat=True).first()
    if act in _TOLD:
        servers = Key.objects.filter(company=company).order_by().values_list("server_id", flat=True).distinct()
        facts = {"id": company.pk, "name": company.name, "slug": company.slug, "state": str(company.state)}
        emit(_TOLD[act], company=company, data={"company": facts}, servers=servers)
