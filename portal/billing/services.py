"""Confirming a card: the step that makes a company active."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from portal.audit.models import AuditEvent
from portal.audit.services import Target, record
from portal.billing.cards import BRAND_NAMES, CardDetails, gateway
from portal.billing.errors import CardDeclined, CompanyNotReady, TooManyAttempts
from portal.billing.models import CardConfirmation
from portal.billing.selectors import current_card
from portal.companies.models import Company, CompanyState
from portal.companies.services import activate_company

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor

ATTEMPTS = 10
ATTEMPTS_PERIOD = timedelta(minutes=10)


@sensitive_variables("card")
def confirm_card(*, company: Company, card: CardDetails, replaces: str, user: User, actor: Actor) -> CardConfirmation:
    """Have `card` verified and put it in force for `company`; a pending company becomes active.

    `replaces` is the id of the card that was in force when the form was shown, '' for none. If another one is in force
    by now, the form was sent twice: that card is returned and nothing is done. Of the card, brand, last four digits,
    expiry, cardholder and the gateway's token are stored.

    Raises CardDeclined (recorded, with its reason only), GatewayUnavailable, TooManyAttempts, CompanyNotReady.
    """
    if done := _already_confirmed(company, replaces):
        return done
    _check_state(company)
    _check_attempts(company)
    service = gateway()
    try:
        # Outside a transaction: a slow gateway must not hold the company's row.
        verified = service.verify(card, reference=f"{company.pk}:{replaces}")
    except CardDeclined as refusal:
        with transaction.atomic():
            record(
                "card:declined",
                actor=actor,
                company=company,
                target=Target("card"),
                data={"reason": str(refusal.reason), "gateway": service.name},
            )
        raise
    with transaction.atomic():
        company = Company.objects.select_for_update().get(pk=company.pk)
        if done := _already_confirmed(company, replaces):
            return done
        _check_state(company)
        old = current_card(company)
        if old:
            old.replaced_at = timezone.now()
            old.save(update_fields=["replaced_at"])
        confirmation = CardConfirmation.objects.create(
            company=company,
            gateway=service.name,
            gateway_token=verified.token,
            brand=card.brand,
            last_four=card.last_four,
            expiry_month=card.expiry_month,
            expiry_year=card.expiry_year,
            cardholder=card.cardholder,
            confirmed_by=user,
        )
        label = f"{BRAND_NAMES.get(card.brand, '')} •••• {card.last_four}".strip()
        record(
            "card:replaced" if old else "card:confirmed",
            actor=actor,
            company=company,
            target=Target("card", str(confirmation.pk), label),
            data={"brand": confirmation.brand, "last_four": confirmation.last_four, "gateway": service.name},
        )
        if company.state == CompanyState.PENDING:
            activate_company(company=company, actor=actor)
    return confirmation


def _already_confirmed(company: Company, replaces: str) -> CardConfirmation | None:
    current = current_card(company)
    return current if current and str(current.pk) != replaces else None


def _check_state(company: Company) -> None:
    if company.state not in {CompanyState.PENDING, CompanyState.ACTIVE}:
        raise CompanyNotReady


def _check_attempts(company: Company) -> None:
    """Hold the record against the limit: it counts with or without a cache, and for all processes together."""
    tried = AuditEvent.objects.filter(
        chain=company.pk,
        action__in=("card:declined", "card:confirmed", "card:replaced"),
        at__gt=timezone.now() - ATTEMPTS_PERIOD,
    )
    if tried.count() >= ATTEMPTS:
        raise TooManyAttempts
