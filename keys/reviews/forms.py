"""Forms of reviews."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _


class DecideForm(forms.Form):
    """What an owner does: `act` is approve or revoke; `row` names the ticked ones; `confirmed` after a second look."""

    act = forms.ChoiceField(choices=[("approve", ""), ("revoke", "")])
    note = forms.CharField(
        label=_("Note"), required=False, max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Kept with the review, for whoever asks later."),
    )  # fmt: skip
    confirmed = forms.BooleanField(required=False)

    @staticmethod
    def ticked(posted: QueryDict, offered: set[str]) -> list[str]:
        """The ids that were ticked, of those that the review has."""
        return [identifier for identifier in dict.fromkeys(posted.getlist("row")) if identifier in offered]
