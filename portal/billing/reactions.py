"""What happens to cards when a company ends, and what of them an export holds."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from portal.companies.datasets import columns_of
from portal.companies.models import Company
from portal.companies.signals import company_finalised


@receiver(company_finalised, dispatch_uid="billing.company_finalised")
def company_ended(sender: Any, company: Company, **kwargs: Any) -> None:
    """Nothing of its cards is kept, the gateway's tokens least of all."""
    company.cards.all().delete()


columns_of(
    "cards",
    (
        "id", "gateway", "brand", "last_four", "expiry_month", "expiry_year", "cardholder", "confirmed_by_id",
        "confirmed_at", "replaced_at",
    ),
    lambda company: company.cards.order_by("confirmed_at", "pk"),
)  # fmt: skip
