"""Forms of the company pages."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.companies.models import Currency
from portal.names import clean_company_name


class CompanyForm(forms.Form):
    """Name and currency of a new company."""

    company_name = forms.CharField(
        label=_("Company name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    currency = forms.ChoiceField(label=_("Currency"), choices=Currency, initial=Currency.USD)

    def clean_company_name(self) -> str:
        """The name, as names must be."""
        return clean_company_name(self.cleaned_data["company_name"])
