"""For how long something is made: the same choice, words and look for keys, machine clients and management tokens."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.companies.models import Company

DATE: Final = "date"
NEVER: Final = "never"
LIFETIMES: Final = [
    ("30", _("30 days")),
    ("90", _("90 days")),
    ("365", _("1 year")),
    (DATE, _("Until a date")),
    (NEVER, _("No expiry")),
]
# What is given to somebody else's program always ends.
SHORT_LIFETIMES: Final = [(value, label) for value, label in LIFETIMES if value.isdigit()]


def end_of(lifetime: str) -> datetime | None:
    """When something ends that is made now for so many days; None for a choice that is no number of days."""
    return timezone.now() + timedelta(days=int(lifetime)) if lifetime.isdigit() else None


class LifetimeForm(forms.Form):
    """When it expires. The template is keys/_lifetime.html; `expires_at` is among what the valid form gives."""

    lifetime = forms.ChoiceField(label=_("Expires"), choices=LIFETIMES, widget=forms.RadioSelect, initial="90")
    until = forms.DateField(
        label=_("Last day"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        self.company = company
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        """`expires_at` from what was chosen; None: never."""
        data = super().clean() or self.cleaned_data
        lifetime = data.get("lifetime") or ""
        data["expires_at"] = self._end_of_day(data) if lifetime == DATE else end_of(lifetime)
        return data

    def _end_of_day(self, data: dict[str, Any]) -> datetime | None:
        if not data.get("until"):
            if "until" not in self.errors:
                self.add_error("until", _("Say on which day it ends."))
            return None
        # To the end of that day where the company is.
        end = datetime.combine(data["until"], time(23, 59, 59), ZoneInfo(self.company.time_zone))
        if end <= timezone.now():
            self.add_error("until", _("This day is over. Choose a later one."))
        return end
