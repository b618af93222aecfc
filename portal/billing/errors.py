"""Why a card was not confirmed. Pages say `message`, at the field that `field` names; it tells what to do."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class DeclineReason(StrEnum):
    """The reasons of a gateway, in the words that card networks use."""

    CARD_DECLINED = "card_declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    INCORRECT_CVC = "incorrect_cvc"
    PROCESSING_ERROR = "processing_error"
    NOT_A_TEST_CARD = "not_a_test_card"


# Reason → what to tell, and the form's field that it is about ("" the whole).
_TOLD: Final[dict[DeclineReason, tuple[str | Promise, str]]] = {
    DeclineReason.CARD_DECLINED: (
        _("The card was declined. Use another card, or ask the bank that issued it."),
        "number",
    ),
    DeclineReason.INSUFFICIENT_FUNDS: (_("The card has insufficient funds. Use another card."), "number"),
    DeclineReason.EXPIRED_CARD: (_("The bank says that this card has expired. Use another card."), "expiry"),
    DeclineReason.INCORRECT_CVC: (
        _("The security code (CVC) is wrong. Check it on the card and type it again."),
        "cvc",
    ),
    DeclineReason.PROCESSING_ERROR: (
        _("The bank could not process the card just now. Nothing is wrong with what you typed: try again."),
        "",
    ),
    DeclineReason.NOT_A_TEST_CARD: (
        _("This is a test system: use one of the test cards. Never type a real card number here."),
        "number",
    ),
}


class BillingError(Exception):
    """A card was not confirmed. Nothing was changed."""

    default: str | Promise = _("The card could not be confirmed.")
    field = ""

    def __init__(self, message: str | Promise | None = None) -> None:
        self.message = message or self.default
        super().__init__(str(self.message))


class CardDeclined(BillingError):
    """The gateway refused the card, for `reason`."""

    def __init__(self, reason: DeclineReason) -> None:
        self.reason = reason
        message, self.field = _TOLD[reason]
        super().__init__(message)


class GatewayUnavailable(BillingError):
    """The gateway did not answer."""

    default = _("The card service does not answer just now. Try again in a minute; nothing was changed.")


class TooManyAttempts(BillingError):
    """Too many cards were tried in a short time."""

    default = _("Too many cards were tried. Wait ten minutes, then try again.")


class CompanyNotReady(BillingError):
    """The company is suspended or closed: a card does not change that."""

    default = _("The company is suspended or closed, and a card does not change that. Ask support.")
