"""The form with which a person lets an AI client in: for which company, which tools, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from keys import scopes
from keys.lifetimes import SHORT_LIFETIMES
from keys.oauth.models import Connection
from keys.oauth.wanted import Wanted
from keys.words import Tool, permitted_tools
from portal.companies.models import Company


class ConsentForm(forms.Form):
    """Nothing that the client asked for stands in it: that is read from the address anew, so it cannot be forged."""

    company = forms.ChoiceField(label=_("For which company"), widget=forms.RadioSelect)
    tools = forms.MultipleChoiceField(label=_("What it may use"), widget=forms.CheckboxSelectMultiple)
    lifetime = forms.ChoiceField(label=_("Expires"), choices=SHORT_LIFETIMES, widget=forms.RadioSelect, initial="90")

    def __init__(
        self, data: Any, *, asked: Wanted, companies: Sequence[Company], before: Connection | None = None
    ) -> None:
        super().__init__(data)
        self.asked = asked
        self.offered = permitted_tools(asked.scopes, asked.server)
        self.companies = {company.pk: company for company in companies}
        fields: dict[str, Any] = self.fields
        fields["company"].choices = [(company.pk, company.name) for company in companies]
        fields["company"].initial = before.company_id if before else companies[0].pk
        fields["tools"].choices = [(tool.name, tool) for tool in self.offered]
        fields["tools"].initial = [tool.name for tool in self.offered]
        fields["tools"].required = bool(self.offered)
        fields["tools"].error_messages["required"] = _("Choose at least one tool, or refuse.")

    @property
    def groups(self) -> list[tuple[str, list[tuple[Tool, forms.boundfield.BoundWidget]]]]:
        """The tools under their headings, read-only ones first, each with its box."""
        found: dict[str, list[tuple[Tool, forms.boundfield.BoundWidget]]] = {}
        for tool, box in zip(self.offered, self["tools"], strict=True):
            found.setdefault(tool.group, []).append((tool, box))
        return list(found.items())

    @property
    def chosen_company(self) -> Company:
        """The company that was chosen."""
        return self.companies[self.cleaned_data["company"]]

    @property
    def granted(self) -> list[str]:
        """The scopes to grant: those asked for, or single tools where some were left out."""
        chosen = self.cleaned_data["tools"]
        if len(chosen) == len(self.offered):
            return self.asked.scopes
        return scopes.normalize(scopes.TOOL_PREFIX + name for name in chosen)

    @property
    def expires_at(self) -> datetime:
        """When the connection ends."""
        return timezone.now() + timedelta(days=int(self.cleaned_data["lifetime"]))
