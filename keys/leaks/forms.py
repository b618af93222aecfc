"""Forms of leaks."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from keys import tokens
from keys.leaks.finding import tokens_in
from keys.leaks.holders import MOST_TOKENS
from keys.leaks.models import Kind, Outcome, Rule, Source


class ReportForm(forms.Form):
    """A whole token, or a text in which some stand. What was typed is never shown again."""

    token = forms.CharField(
        label=_("What you found"),
        max_length=20_000,
        widget=forms.Textarea(
            attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off",
                   "placeholder": "lk_live_…"}
        ),
        help_text=_("All of it: half a key is not enough. A line or file that holds it will do too."),
    )  # fmt: skip

    def clean_token(self) -> list[tokens.Token]:
        """The tokens in it. Their form is public, so that a slip of the mouse may be told."""
        found = tokens_in(self.cleaned_data["token"], MOST_TOKENS)
        if not found:
            raise forms.ValidationError(
                _("No whole Latchkey key is in it. It begins with lk_, and every character counts: copy it again.")
            )
        return found


class RuleForm(forms.Form):
    """What happens to a leaked token of the company."""

    rule = forms.ChoiceField(label=_("When a token of ours leaks"), choices=Rule, widget=forms.RadioSelect)


class LeakFilter(forms.Form):
    """Which leaks staff see."""

    q = forms.CharField(required=False, max_length=120)
    kind = forms.ChoiceField(label=_("What"), required=False)
    source = forms.ChoiceField(label=_("Who reported it"), required=False)
    outcome = forms.ChoiceField(label=_("What was done"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, empty, choices in (
            ("kind", _("Anything"), Kind.choices),
            ("source", _("Any source"), Source.choices),
            ("outcome", _("Any outcome"), Outcome.choices),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", empty), *choices]

    def chosen(self) -> dict[str, str]:
        """The fields that narrow the list; an unknown value in the address is left out."""
        self.is_valid()
        found = {name: self.cleaned_data.get(name, "") for name in ("kind", "source", "outcome")}
        return {name: value for name, value in found.items() if value}

    @property
    def query(self) -> str:
        """What is searched for."""
        self.is_valid()
        return str(self.cleaned_data.get("q", "")).strip()
