"""Which events a page or export shows."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from typing import Any, Final

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.addresses import normalize_address
from portal.audit.models import ActorKind, AuditEvent
from portal.audit.sentences import SENTENCES, SUBJECTS, action_choices

CLOCKS: Final = timedelta(days=1)  # further apart no two clocks are that write events
WORDS_IN: Final = 20_000  # events that a page reads for words: some tens of milliseconds


class EventFilter(forms.Form):
    """Who, what, which and when; every field may stay empty."""

    q = forms.CharField(label=_("Search"), max_length=120, required=False)
    actor = forms.ChoiceField(label=_("Who"), required=False)
    action = forms.ChoiceField(label=_("What"), required=False)
    since = forms.DateField(
        label=pgettext_lazy("period", "From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=pgettext_lazy("period", "To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(self, *args: Any, people: list[tuple[str, str]], zone: tzinfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone, self.is_partial = zone, False
        self.fields["q"].widget.attrs |= {"placeholder": _("Name, reason, address or any id"), "type": "search"}
        actor, action = self.fields["actor"], self.fields["action"]
        assert isinstance(actor, forms.ChoiceField) and isinstance(action, forms.ChoiceField)
        kinds = [(kind.value, kind.label) for kind in ActorKind if kind != ActorKind.USER]
        actor.choices = [("", _("Anyone")), *((f"user:{pk}", name) for pk, name in people), *kinds]
        action.choices = [("", _("Anything")), *action_choices()]

    def clean(self) -> dict[str, Any]:
        """A period that ends before it begins is an error."""
        data = super().clean() or self.cleaned_data
        if data.get("since") and data.get("until") and data["until"] < data["since"]:
            self.add_error("until", _("The end of the period is before its beginning."))
        return data

    @property
    def is_filtering(self) -> bool:
        """Whether any field narrows the list."""
        return self.is_valid() and any(self.cleaned_data.values())

    def apply(self, events: QuerySet[AuditEvent], *, words_in: int | None = None) -> QuerySet[AuditEvent]:
        """`events` narrowed to what the form asks for; none of them if it is wrong.

        Words follow no index: a page looks for them in the latest `words_in` of the events that the rest of the form
        finds, and says so (`is_partial`) if there are more; a file in all.
        """
        if not self.is_valid():
            return events.none()
        data = self.cleaned_data
        kind, _colon, identifier = data["actor"].partition(":")
        if kind:
            events = events.filter(actor_kind=kind)
        if identifier:
            events = events.filter(actor_id=identifier)
        if data["action"] in SENTENCES:
            events = events.filter(action=data["action"])
        elif data["action"] in SUBJECTS:
            events = events.filter(action__startswith=f"{data['action']}:")
        if data["since"]:
            events = _since(events, datetime.combine(data["since"], time.min, self.zone))
        if data["until"]:
            events = _until(events, datetime.combine(data["until"] + timedelta(days=1), time.min, self.zone))
        words = data["q"].split()[:8]
        if words and words_in is not None:
            edge = events.order_by("-id").values_list("pk", flat=True)[words_in : words_in + 1].first()
            self.is_partial = edge is not None
            events = events.filter(pk__gt=edge) if self.is_partial else events
        for word in words:
            found = Q(target_label__icontains=word) | Q(actor_label__icontains=word) | Q(reason__icontains=word)
            found |= Q(target_id=word) | Q(actor_id=word) | Q(request_id=word) | Q(incident_id=word) | Q(hash=word)
            if address := normalize_address(word):
                found |= Q(ip=address)
            events = events.filter(found)
        return events


def _since(events: QuerySet[AuditEvent], moment: datetime) -> QuerySet[AuditEvent]:
    """Those from `moment` on. Lists go by id: the id of an event of well before keeps them from reading on and on."""
    edge = AuditEvent.objects.filter(at__lt=moment - CLOCKS).order_by("-at").values_list("pk", flat=True).first()
    return events.filter(at__gte=moment, **({"pk__gt": edge} if edge else {}))


def _until(events: QuerySet[AuditEvent], moment: datetime) -> QuerySet[AuditEvent]:
    """Those before `moment`, begun at the id of an event of well after: not at the latest of all."""
    edge = AuditEvent.objects.filter(at__gte=moment + CLOCKS).order_by("at").values_list("pk", flat=True).first()
    return events.filter(at__lt=moment, **({"pk__lt": edge} if edge else {}))
