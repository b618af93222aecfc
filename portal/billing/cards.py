"""Cards and the gateways that verify them. A real gateway is one class with the interface of `CardGateway`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from stdnum import luhn

from portal.billing.errors import CardDeclined, DeclineReason

# Issuer identification numbers: the first digits of a card number (ISO/IEC 7812) and who issues it.
_BRANDS: Final = (
    ("visa", "Visa", re.compile(r"4")),
    ("mastercard", "Mastercard", re.compile(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)")),
    ("amex", "American Express", re.compile(r"3[47]")),
    ("discover", "Discover", re.compile(r"6011|64[4-9]|65")),
    ("diners", "Diners Club", re.compile(r"3(?:0[0-5]|[689])")),
    ("jcb", "JCB", re.compile(r"35")),
)
BRAND_NAMES: Final = {code: name for code, name, _prefix in _BRANDS}
SHORTEST, LONGEST = 12, 19


@dataclass(frozen=True, slots=True)
class CardDetails:
    """A card as it was typed. Lives in the request only; its `repr` shows neither number nor CVC."""

    number: str = field(repr=False)
    cvc: str = field(repr=False)
    expiry_month: int
    expiry_year: int
    cardholder: str

    @property
    def brand(self) -> str:
        """The code of who issued it, '' if not known."""
        return brand_of(self.number)

    @property
    def last_four(self) -> str:
        """The part of the number that may be kept."""
        return self.number[-4:]


@dataclass(frozen=True, slots=True)
class VerifiedCard:
    """What a gateway answers for a good card: its own name for it."""

    token: str


@dataclass(frozen=True, slots=True)
class OfferedCard:
    """A number that a test system offers, and what comes of it."""

    number: str
    outcome: str | Promise
    approved: bool = False
    reason: DeclineReason | None = None

    @property
    def spaced(self) -> str:
        """The number in groups of four."""
        return " ".join(self.number[place : place + 4] for place in range(0, len(self.number), 4))


class CardGateway(Protocol):
    """Verifies that a card is good, without charging it."""

    name: str
    test_cards: Sequence[OfferedCard]

    def verify(self, card: CardDetails, *, reference: str) -> VerifiedCard:
        """Verify `card`. The same `reference` twice is the same request: a gateway must not act on it twice.

        Raises CardDeclined with a reason, or GatewayUnavailable. Keeps and logs neither number nor CVC.
        """
        ...


class DummyGateway:
    """Accepts and refuses the test cards that it lists, and no other: nobody shall type a real card here."""

    name = "dummy"
    test_cards: Sequence[OfferedCard] = (
        OfferedCard("4242424242424242", _("Approved"), approved=True),
        OfferedCard("4012888888881881", _("Approved"), approved=True),
        OfferedCard("4000000000000002", _("Declined"), reason=DeclineReason.CARD_DECLINED),
        OfferedCard("4000000000009995", _("Insufficient funds"), reason=DeclineReason.INSUFFICIENT_FUNDS),
        OfferedCard("4000000000000069", _("Expired card"), reason=DeclineReason.EXPIRED_CARD),
        OfferedCard("4000000000000127", _("Wrong CVC"), reason=DeclineReason.INCORRECT_CVC),
        OfferedCard("4000000000000119", _("Processing error: try again"), reason=DeclineReason.PROCESSING_ERROR),
    )

    def verify(self, card: CardDetails, *, reference: str) -> VerifiedCard:
        """The outcome that the test card stands for; the token is made up and means nothing outside."""
        for known in self.test_cards:
            if known.number == card.number:
                if known.reason:
                    raise CardDeclined(known.reason)
                return VerifiedCard(f"dummy_{secrets.token_hex(8)}")
        raise CardDeclined(DeclineReason.NOT_A_TEST_CARD)


def gateway() -> CardGateway:
    """The gateway that the settings name."""
    made: CardGateway = import_string(settings.CARD_GATEWAY)()
    return made


def brand_of(number: str) -> str:
    """The code of who issued `number` by its first digits, such as `visa`; '' if not known."""
    return next((code for code, _name, prefix in _BRANDS if prefix.match(number)), "")


def clean_number(text: str) -> str | None:
    """`text` as the digits of a card number, or None if it is none: wrong characters, length or check digit."""
    digits = re.sub(r"[ \-\u00a0\u2009\u202f]", "", text)
    if not (digits.isascii() and digits.isdigit() and SHORTEST <= len(digits) <= LONGEST):
        return None
    return digits if luhn.is_valid(digits) else None
