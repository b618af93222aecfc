"""Forms of the pages for management tokens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from keys.lifetimes import LifetimeForm
from keys.management_tokens.services import ACT_OF
from keys.models import ManagementScope
from keys.once import OnceForm
from portal.companies.models import Membership
from portal.names import clean_name


class TokenForm(OnceForm, LifetimeForm):
    """A new management token: a name, what it may do, and for how long."""

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Where it will be used, such as Deploy job or Nightly report."),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        widget=forms.CheckboxSelectMultiple,
        initial=[ManagementScope.KEYS_READ.value],
        help_text=_("Choose no more than the script needs. It can never open an MCP server."),
        error_messages={"required": _("Choose at least one.")},
    )
    field_order = ("name", "scopes")

    def __init__(self, *args: Any, membership: Membership, **kwargs: Any) -> None:
        super().__init__(*args, company=membership.company, **kwargs)
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [
            (scope.value, format_html('{} <code class="muted small">{}</code>', scope.label, scope.value))
            for scope in ManagementScope
            if membership.may(ACT_OF[scope])
        ]

    def clean_name(self) -> str:
        """The name, as names must be."""
        return clean_name(self.cleaned_data["name"])
