"""Reading card confirmations."""

from __future__ import annotations

from portal.billing.models import CardConfirmation
from portal.companies.models import Company


def current_card(company: Company) -> CardConfirmation | None:
    """The card in force of `company`, or None."""
    return company.cards.filter(replaced_at=None).first()
