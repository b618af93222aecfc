"""What forms say of wrong input: one voice for ours, allauth's and the admin's."""

from __future__ import annotations

import re

import allauth.account.forms
import allauth.mfa.totp.forms
import pytest
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.urls import get_resolver
from django.utils import translation

from portal.accounts.models import User
from portal.ui import sentences

OWN_OF_DJANGO = re.compile(r"Ensure |This field is required|Select a valid|Enter a |Enter an? valid|Null characters")


class Everything(forms.Form):
    name = forms.CharField(min_length=3, max_length=80)
    calls = forms.IntegerField(min_value=10, max_value=100_000)
    mail = forms.EmailField()
    address = forms.URLField(assume_scheme="https")
    day = forms.DateField()
    colour = forms.ChoiceField(choices=[("red", "Red")])
    tools = forms.MultipleChoiceField(choices=[("a", "A")])
    agreed = forms.BooleanField()


GOOD = {
    "name": "Laptop", "calls": "60", "mail": "a@example.com", "address": "https://example.com", "day": "2030-01-31",
    "colour": "red", "tools": ["a"], "agreed": "on",
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "Fill this in."),
        ("name", "ab", "At least 3 characters; this is 2."),
        ("name", "x" * 120, "At most 80 characters; this is 120."),
        ("name", "a\0bc", "There is an invisible character in it. Type it anew."),
        ("calls", "many", "Write a whole number in digits."),
        ("calls", "1", "10 at least."),
        ("calls", "2000000", "100,000 at most."),
        ("mail", "ada", "This is no e-mail address. Write it like anna@example.com."),
        ("address", "not an address", "Write the whole address, such as https://example.com."),
        ("day", "tomorrow", "Write the day as year, month and day, such as 2030-01-31."),
        ("colour", "", "Choose one."),
        ("colour", "blue", "Choose one of those that are offered."),
        ("tools", [], "Choose at least one."),
        ("tools", ["b"], "Choose one of those that are offered."),
        ("agreed", "", "Tick this to go on."),
    ],
)
def test_each_fault_is_told_with_what_to_do(field, value, says):
    form = Everything(GOOD | {field: value})
    assert form.errors == {field: [says]}


def test_the_numbers_are_written_as_the_reader_writes_them():
    with translation.override("de"):
        form = Everything(GOOD | {"calls": "2000000", "name": "x" * 1200})
        assert form.errors["calls"] == ["Höchstens 100.000."]
        assert form.errors["name"] == ["Höchstens 80 Zeichen; hier sind es 1.200."]


def _forms(of: type = forms.BaseForm) -> set[type]:
    return {found for one in of.__subclasses__() for found in {one} | _forms(one)}


def test_no_field_of_any_form_says_a_sentence_of_django():
    get_resolver().reverse_dict  # noqa: B018 - every view is imported, and with it its forms
    assert allauth.account.forms.ResetPasswordForm in _forms()
    ours = [form for form in _forms() if form.__module__.startswith(("portal.", "keys.", "allauth.account"))]
    assert len(ours) > 50
    said = {
        f"{form.__module__}.{form.__name__}.{name}: {sentence}"
        for form in ours
        for name, field in getattr(form, "base_fields", {}).items()
        for sentence in field.error_messages.values()
    }
    assert [one for one in sorted(said) if OWN_OF_DJANGO.search(one.split(": ", 1)[1])] == []


def test_a_row_too_many_is_told():
    rows = forms.formset_factory(Everything, max_num=1, validate_max=True)
    sent = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "0"}
    assert rows(sent).non_form_errors() == ["1 row at most."]


def test_a_sentence_can_be_read_without_its_numbers():
    assert "limit_value" in str(sentences.VALIDATORS[forms.fields.validators.MaxValueValidator])


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("short", "This password is too short: add 5 more characters."),
        ("ninechars", "This password is too short: add 1 more character."),
        ("password123", "too common: it is guessed first. A few unrelated words make a good one."),
        ("ada.example1", "too similar to your name or address. A few unrelated words make a good one."),
    ],
)
def test_a_refused_password_is_told_what_would_be_better(password, says):
    with pytest.raises(ValidationError, match=re.escape(says)):
        validate_password(password, User(email="ada@example.com", name="Ada Example"))
