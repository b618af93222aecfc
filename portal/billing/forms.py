"""The card form. Number and CVC go out of it only as CardDetails, never back to the page."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.billing.cards import CardDetails, brand_of, clean_number
from portal.logs import redact
from portal.names import clean_name

LONGEST_EXPIRY_YEARS = 20


class UnrepeatedInput(forms.TextInput):
    """A text input that never shows what was sent: a refused form comes back with it empty."""

    def format_value(self, value: Any) -> None:
        """Nothing, whatever the value."""


class CardForm(forms.Form):
    """Cardholder, number, expiry and CVC. `replaces` names the card that was in force when the form was shown."""

    cardholder = forms.CharField(
        label=_("Name on the card"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "cc-name"})
    )
    number = forms.CharField(
        label=_("Card number"),
        max_length=40,
        widget=UnrepeatedInput(
            attrs={"autocomplete": "cc-number", "inputmode": "numeric", "data-card-number": "card-brand"}
        ),
    )
    expiry = forms.CharField(
        label=_("Expiry"),
        max_length=9,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "cc-exp",
                "inputmode": "numeric",
                "placeholder": _("MM/YY"),
                "data-card-expiry": "",
            }
        ),
    )
    cvc = forms.CharField(
        label=_("Security code"),
        max_length=8,
        widget=UnrepeatedInput(attrs={"autocomplete": "cc-csc", "inputmode": "numeric"}),
    )
    replaces = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        if data is not None and redact(data.get("cardholder", "")) != data.get("cardholder", ""):
            # A card number in the wrong field must not come back with the page either.
            data = data.copy()
            data["cardholder"] = ""
        super().__init__(data, **kwargs)

    def clean_cardholder(self) -> str:
        """The name, as names must be."""
        return clean_name(self.cleaned_data["cardholder"])

    def clean_number(self) -> str:
        """The digits of a number whose length and check digit hold."""
        number = clean_number(self.cleaned_data["number"])
        if number is None:
            raise forms.ValidationError(_("This is not a card number: check its digits."), code="invalid")
        return number

    def clean_expiry(self) -> tuple[int, int]:
        """Month and year, not in the past."""
        found = re.fullmatch(r"(\d{1,2})\s*[/.\- ]\s*(\d{2}|\d{4})|(\d{2})(\d{2})", self.cleaned_data["expiry"].strip())
        if not found:
            raise forms.ValidationError(_("Write the expiry as month and year, such as 04/30."), code="invalid")
        month, year = int(found[1] or found[3]), int(found[2] or found[4])
        year += 2000 if year < 100 else 0
        today = timezone.localdate()
        if not 1 <= month <= 12:
            raise forms.ValidationError(_("There is no such month: use 01 to 12."), code="invalid")
        if (year, month) < (today.year, today.month):
            raise forms.ValidationError(_("This card has expired. Use another card."), code="expired")
        if year > today.year + LONGEST_EXPIRY_YEARS:
            raise forms.ValidationError(_("This expiry is too far away: check the year."), code="invalid")
        return month, year

    def clean(self) -> dict[str, Any]:
        """Hold the CVC's length against the brand: four digits on American Express, three on all others."""
        cleaned = super().clean() or {}
        cvc, number = cleaned.get("cvc", ""), cleaned.get("number", "")
        if cvc and not (cvc.isascii() and cvc.isdigit() and len(cvc) in (3, 4)):
            self.add_error("cvc", forms.ValidationError(_("The security code has three or four digits.")))
        elif cvc and number:
            length = 4 if brand_of(number) == "amex" else 3
            if len(cvc) != length:
                self.add_error(
                    "cvc",
                    forms.ValidationError(
                        _("The security code of this card has %(length)s digits."), params={"length": length}
                    ),
                )
        return cleaned

    def card(self) -> CardDetails:
        """The card of a valid form."""
        month, year = self.cleaned_data["expiry"]
        return CardDetails(
            number=self.cleaned_data["number"],
            cvc=self.cleaned_data["cvc"],
            expiry_month=month,
            expiry_year=year,
            cardholder=self.cleaned_data["cardholder"],
        )
