"""What forms say of wrong input, in our words: what to do, and the numbers with it.

Django's own sentences ("Ensure this value has at most 80 characters (it has 120).") name the fault like a machine.
They are attributes of its fields and validators, and changed there, once: so the forms of allauth and of the admin
speak as ours do. A field that says something better keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core import validators
from django.forms.formsets import BaseFormSet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy


class _Number(int):
    """A number that is written as people read it: 100,000."""

    def __str__(self) -> str:
        return str(intcomma(int(self)))


class Counting:
    """A sentence with numbers. Stands where Django has its text, and is filled in as that is."""

    def __init__(self, words: Promise) -> None:
        self._words = words

    def __str__(self) -> str:
        return str(self._words)

    def __mod__(self, params: Mapping[str, Any]) -> str:
        numbers = {name: _Number(value) if type(value) is int else value for name, value in params.items()}
        return str(self._words % numbers)


_INVISIBLE: Final = _("There is an invisible character in it. Type it anew.")
_CHOOSE: Final = _("Choose one of those that are offered.")
_ADDRESS: Final = _("Write the whole address, such as https://example.com.")

FIELDS: Final[dict[type[forms.Field], dict[str, Any]]] = {
    forms.Field: {"required": _("Fill this in.")},
    forms.IntegerField: {"invalid": _("Write a whole number in digits.")},
    forms.FloatField: {"invalid": _("Write a number in digits.")},
    forms.DecimalField: {"invalid": _("Write a number in digits.")},
    forms.DateField: {"invalid": _("Write the day as year, month and day, such as 2030-01-31.")},
    forms.DateTimeField: {"invalid": _("Write day and time, such as 2030-01-31 14:30.")},
    forms.URLField: {"invalid": _ADDRESS},
    forms.FileField: {
        "required": _("Choose a file."),
        "invalid": _("No file came. Choose it once more."),
        "missing": _("No file came. Choose it once more."),
        "empty": _("The file is empty. Choose another one."),
    },
    forms.BooleanField: {"required": _("Tick this to go on.")},
    forms.ChoiceField: {"required": _("Choose one."), "invalid_choice": _CHOOSE},
    forms.MultipleChoiceField: {
        "required": _("Choose at least one."), "invalid_choice": _CHOOSE, "invalid_list": _CHOOSE,
    },
    forms.ModelChoiceField: {"required": _("Choose one."), "invalid_choice": _CHOOSE},
    forms.ModelMultipleChoiceField: {
        "required": _("Choose at least one."), "invalid_choice": _CHOOSE, "invalid_list": _CHOOSE,
        "invalid_pk_value": _CHOOSE,
    },
}  # fmt: skip

VALIDATORS: Final[dict[Any, Any]] = {
    validators.MinLengthValidator: Counting(
        ngettext_lazy(
            "At least %(limit_value)s character; this is %(show_value)s.",
            "At least %(limit_value)s characters; this is %(show_value)s.",
            "limit_value",
        )
    ),
    validators.MaxLengthValidator: Counting(
        ngettext_lazy(
            "At most %(limit_value)s character; this is %(show_value)s.",
            "At most %(limit_value)s characters; this is %(show_value)s.",
            "limit_value",
        )
    ),
    validators.MinValueValidator: Counting(_("%(limit_value)s at least.")),
    validators.MaxValueValidator: Counting(_("%(limit_value)s at most.")),
    validators.EmailValidator: _("This is no e-mail address. Write it like anna@example.com."),
    validators.URLValidator: _ADDRESS,
    validators.ProhibitNullCharactersValidator: _INVISIBLE,
}

FORM_SETS: Final[dict[str, Any]] = {
    "missing_management_form": _("Part of the form did not come. Load the page anew and try again."),
    "too_many_forms": Counting(ngettext_lazy("%(num)s row at most.", "%(num)s rows at most.", "num")),
}


def speak() -> None:
    """Say these sentences from now on. Forms must not have been made yet: a field copies its sentences."""
    for field, words in FIELDS.items():
        field.default_error_messages = field.__dict__.get("default_error_messages", {}) | words
    for validator, sentence in VALIDATORS.items():
        validator.message = sentence
    BaseFormSet.default_error_messages = BaseFormSet.default_error_messages | FORM_SETS
