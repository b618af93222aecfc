"""What a policy does to the form of a new key."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from keys.policy.models import KeyPolicy


def days_words(days: int) -> str:
    """A number of days in words."""
    return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}


def offer(form: forms.Form, policy: KeyPolicy, *, never: str) -> None:
    """Have the form of a new key begin with what `policy` says, and offer nothing that it does not allow.

    `lifetime` is its field of choices, whose values are days, or words; `never` is the word for no expiry.
    """
    lifetime = form.fields["lifetime"]
    assert isinstance(lifetime, forms.ChoiceField)
    longest, wanted = policy.longest_days, str(policy.default_days or never)
    offered: list[tuple[str, Any]] = list(lifetime.choices)  # type: ignore[arg-type]
    choices = [
        (value, label)
        for value, label in offered
        if longest is None or (int(value) <= longest if value.isdigit() else value != never)
    ]
    if wanted not in {value for value, _label in choices}:
        choices.insert(0, (wanted, days_words(policy.default_days or 0)))
    lifetime.choices = choices
    lifetime.initial = wanted
    if longest is not None:
        lifetime.help_text = _("Keys of this company live %(words)s at most.") % {"words": days_words(longest)}
    if "allowed_ips" in form.fields:  # a machine that is connected has no addresses of its own
        form.fields["allowed_ips"].initial = policy.allowed_ips
