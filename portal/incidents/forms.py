"""Forms of incidents."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.incidents.models import IncidentState


class IncidentFilter(forms.Form):
    """Which incidents the list shows."""

    q = forms.CharField(required=False, max_length=120)
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("Any state")), *IncidentState.choices])


class OpenForm(forms.Form):
    """What a new incident is about."""

    title = forms.CharField(
        label=_("Title"), max_length=160, help_text=_("What happened, in one line. Leave out anything secret.")
    )


class NoteForm(forms.Form):
    """A note for those who come after."""

    text = forms.CharField(
        label=_("Note"), max_length=4000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Staff read it, and it stands in the report. Leave out anything secret."),
    )  # fmt: skip
