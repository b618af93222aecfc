"""The policy as a form."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from keys.forms import AddressesField
from keys.lifetimes import DATE, LIFETIMES, NEVER
from keys.policy.models import LONGEST_DAYS, KeyPolicy
from keys.policy.offers import days_words
from portal.companies.roles import Role

NONE: Final = "none"
MAXIMA = [
    (NONE, _("No maximum")),
    *((value, label) for value, label in LIFETIMES if value.isdigit()),
    (DATE, _("Other")),
]
DEFAULTS = [(value, label) for value, label in LIFETIMES if value != DATE]
MAKERS = [
    (Role.DEVELOPER.value, _("Owners, admins and developers")),
    (Role.ADMIN.value, _("Owners and admins")),
    (Role.OWNER.value, _("Owners only")),
]


class PolicyForm(forms.Form):
    """What new keys of the company are like."""

    default = forms.ChoiceField(
        label=_("A new key expires after"),
        choices=DEFAULTS,
        help_text=_("What the form offers first. Whoever makes a key can choose otherwise, up to the maximum."),
    )
    maximum = forms.ChoiceField(
        label=_("It lives at most"),
        choices=MAXIMA,
        help_text=_("Holds for the pages and the API. A rotation makes a longer-lived key shorter."),
    )
    days = forms.IntegerField(
        label=_("Days at most, if you chose “Other”"), required=False, min_value=1, max_value=LONGEST_DAYS
    )
    makers = forms.ChoiceField(label=_("Who may create keys"), choices=MAKERS, widget=forms.RadioSelect)
    allowed_ips = AddressesField(
        label=_("Addresses that a new key is accepted from"),
        required=False,
        max_length=4000,
        help_text=_("IP addresses or CIDR ranges, one a line. A new key begins with them. Empty: from everywhere."),
    )

    def __init__(self, *args: Any, policy: KeyPolicy, **kwargs: Any) -> None:
        listed = {value for value, _label in MAXIMA}
        longest = str(policy.longest_days or NONE)
        kwargs["initial"] = {
            "default": str(policy.default_days or NEVER),
            "maximum": longest if longest in listed else DATE,
            "days": None if longest in listed else policy.longest_days,
            "makers": policy.makers,
            "allowed_ips": policy.allowed_ips,
        }
        super().__init__(*args, **kwargs)
        default = self.fields["default"]
        assert isinstance(default, forms.ChoiceField)
        if kwargs["initial"]["default"] not in {value for value, _label in DEFAULTS}:
            default.choices = [*DEFAULTS, (kwargs["initial"]["default"], days_words(policy.default_days or 0))]

    def clean(self) -> dict[str, Any]:
        """`default_days` and `longest_days` from what was chosen; a default beyond the maximum is an error."""
        data = super().clean() or self.cleaned_data
        maximum, default = data.get("maximum"), data.get("default")
        if maximum == DATE and not data.get("days") and "days" not in self.errors:
            self.add_error("days", _("Say how many days."))
        longest = data.get("days") if maximum == DATE else int(maximum) if maximum and maximum != NONE else None
        days = None if default == NEVER else int(default) if default else None
        if longest and default and (days is None or days > longest):
            self.add_error("default", _("This is longer than a key may live. Choose a shorter one."))
        data["default_days"], data["longest_days"] = days, longest
        return data
