"""What members type about endpoints."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from keys.webhooks import endpoints
from keys.webhooks.errors import AddressUnusable
from keys.webhooks.models import TEST_EVENT, DeliveryState, Endpoint, EventType

EVERY, CHOSEN = "every", "chosen"
OVERLAPS = [("0", _("Not at all")), ("1", _("For 1 hour")), ("24", _("For 24 hours")), ("168", _("For 7 days"))]


class EndpointForm(forms.Form):
    """An endpoint, new or changed. `facts` are the arguments of the services."""

    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/latchkey", "autocomplete": "off"}),
        help_text=_("Where events are posted to. It should answer with a 2xx status within 15 seconds."),
    )
    description = forms.CharField(
        label=_("Description"), max_length=120, required=False, help_text=_("For your own overview.")
    )
    which = forms.ChoiceField(
        label=_("Events"),
        choices=[(EVERY, _("Every event, also kinds that are added later")), (CHOSEN, _("Only those ticked below"))],
        widget=forms.RadioSelect,
        initial=EVERY,
    )
    event_types = forms.MultipleChoiceField(
        label=_("Kinds of events"), choices=EventType.choices, widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.MultipleChoiceField, self.fields["event_types"])
        field.choices = [
            (kind.value, format_html('{} <code class="muted small">{}</code>', kind.label, kind.value))
            for kind in EventType
        ]

    @classmethod
    def of(cls, endpoint: Endpoint) -> EndpointForm:
        """The form with what `endpoint` has now."""
        return cls(
            initial={
                "url": endpoint.url,
                "description": endpoint.description,
                "which": CHOSEN if endpoint.event_types else EVERY,
                "event_types": endpoint.event_types,
            }
        )

    def clean_url(self) -> str:
        """The address in normal form, if events can go there."""
        try:
            return endpoints.checked_url(self.cleaned_data["url"])
        except AddressUnusable as error:
            raise forms.ValidationError(str(error.message), code=error.code) from None

    def clean(self) -> dict[str, Any]:
        """Only those ticked: then at least one is."""
        data = super().clean() or {}
        if data.get("which") == CHOSEN and not data.get("event_types") and "event_types" not in self.errors:
            self.add_error("event_types", _("Tick at least one, or choose every event."))
        return data

    @property
    def facts(self) -> dict[str, Any]:
        """The valid form as arguments of `create_endpoint` and `update_endpoint`."""
        data = self.cleaned_data
        chosen = data["event_types"] if data["which"] == CHOSEN else []
        return {"url": data["url"], "description": data["description"], "event_types": chosen}


class RotateForm(forms.Form):
    """How long the old signing secret signs too."""

    overlap = forms.ChoiceField(
        label=_("Sign with the old secret too"), choices=OVERLAPS, initial="24", widget=forms.RadioSelect
    )

    @property
    def duration(self) -> timedelta:
        """The overlap of the valid form."""
        return timedelta(hours=int(self.cleaned_data["overlap"]))


class LogForm(forms.Form):
    """Filters of a delivery log. A value that is not on the list counts as none."""

    state = forms.ChoiceField(
        label=_("State"), choices=[("", _("Any state")), *DeliveryState.choices], required=False
    )  # fmt: skip
    type = forms.ChoiceField(
        label=_("Event"),
        choices=[("", _("Any event")), *((value, value) for value in [*EventType.values, TEST_EVENT])],
        required=False,
    )

    @property
    def filters(self) -> dict[str, str]:
        """The filters as arguments of `endpoint_deliveries`."""
        self.is_valid()
        data = self.cleaned_data
        return {"state": data.get("state", ""), "event_type": data.get("type", "")}
