"""Forms of the key pages. They check what a person typed; what the state of things allows is for keys/rules.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from keys import labels, scopes
from keys.errors import AddressInvalid, LabelInvalid
from keys.lifetimes import NEVER, LifetimeForm
from keys.models import Key, McpServer
from keys.once import OnceForm
from keys.policy.offers import offer
from keys.policy.selectors import policy_of
from keys.rules import checked_addresses
from keys.words import tools_of
from portal.companies.models import Company
from portal.logs import redact
from portal.names import clean_name

CHOSEN: Final = "chosen"
ACCESS = [
    (scopes.ALL, _("All tools")),
    (scopes.READ, _("Read-only tools")),
    (CHOSEN, _("Only the tools that I choose")),
]
OVERLAPS = [
    ("0", _("None"), _("The old value stops at once. Choose this after a leak.")),
    ("1", _("1 hour"), _("When you change it right now.")),
    ("24", _("24 hours"), _("Time to change one or two AI clients.")),
    ("168", _("7 days"), _("When several people or machines use it.")),
]
REASONS = [
    (_("No longer needed"), _("The work is done, or the client is gone.")),
    (_("Leaked or exposed"), _("It was seen where it should not be: a repository, a chat, a log.")),
    (_("Replaced by a newer one"), _("The newer one does its work.")),
    (_("The person left"), _("Whoever used it should not have it any more.")),
    (_("Something else"), _("Say in a few words why, below.")),
]
ELSE: Final = str(len(REASONS) - 1)


class AddressesField(forms.CharField):
    """Addresses and ranges, one a line or split at commas; gives a list."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "placeholder": "203.0.113.0/24"})

    def clean(self, value: Any) -> list[str]:
        """The addresses of what was typed, in normal form; keys/rules.py says which of them is none."""
        parts = [part for part in re.split(r"[\s,;]+", super().clean(value)) if part]
        try:
            return checked_addresses(parts)
        except AddressInvalid as error:
            raise forms.ValidationError(str(error.message), code=error.code) from None

    def prepare_value(self, value: Any) -> Any:
        """A list as lines."""
        return "\n".join(value) if isinstance(value, list) else value


class LabelsField(forms.CharField):
    """Words, split at commas; gives a list. keys/labels.py says which of them is no label."""

    widget = forms.TextInput(attrs={"autocomplete": "off", "placeholder": _("production, office"), "list": "labels"})

    def clean(self, value: Any) -> list[str]:
        """The labels of what was typed."""
        try:
            return labels.checked_labels(labels.split(super().clean(value)))
        except LabelInvalid as error:
            raise forms.ValidationError(str(error.message), code=error.code) from None

    def prepare_value(self, value: Any) -> Any:
        """A list as words with commas."""
        return ", ".join(value) if isinstance(value, list) else value


class ScopesForm(forms.Form):
    """What a key may do, and from where: shared by the pages that create and edit."""

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("How you will recognise it: the AI client and the machine, such as Gemini CLI on my laptop."),
    )
    labels = LabelsField(
        label=_("Labels"),
        required=False,
        max_length=200,
        help_text=_("Up to five words to sort and find keys by, with commas between them."),
    )
    access = forms.ChoiceField(label=_("What it may do"), choices=ACCESS, widget=forms.RadioSelect, initial=scopes.ALL)
    allowed_ips = AddressesField(
        label=_("Allowed addresses"),
        required=False,
        max_length=4000,
        help_text=_("IP addresses or CIDR ranges, one a line. Empty: it works from everywhere."),
    )
    per_minute = forms.IntegerField(
        label=_("Calls a minute"), required=False, min_value=1, max_value=100_000,
        help_text=_("Empty: the limit of your plan."),
    )  # fmt: skip
    per_month = forms.IntegerField(
        label=_("Calls a month"), required=False, min_value=1, max_value=1_000_000_000,
        help_text=_("Empty: the limit of your plan."),
    )  # fmt: skip

    def add_tools(self, server: McpServer, checked: Sequence[str] = ()) -> None:
        """A list of the tools of `server`; tools that a key has but the server lost stay in it."""
        self.fields[f"tools_{server.pk}"] = forms.MultipleChoiceField(
            label=_("Tools of %(server)s") % {"server": server},
            choices=[(tool.name, tool) for tool in tools_of(server, checked)],
            widget=forms.CheckboxSelectMultiple,
            required=False,
            initial=list(checked),
        )

    def tool_groups(self) -> list[forms.BoundField]:
        """The lists of tools, one a server, those with nothing to choose left out."""
        fields = [self[name] for name in self.fields if name.startswith("tools_")]
        return [field for field in fields if getattr(field.field, "choices", None)]

    def clean_name(self) -> str:
        """The name, as names must be."""
        return clean_name(self.cleaned_data["name"])

    def scopes_for(self, server: McpServer) -> list[str]:
        """The scopes that were chosen; adds an error and gives none if no tool was."""
        access = self.cleaned_data.get("access", "")
        if access != CHOSEN:
            return [access]
        chosen = [scopes.TOOL_PREFIX + name for name in self.cleaned_data.get(f"tools_{server.pk}", ())]
        if not chosen:
            self.add_error("access", _("Choose at least one tool, or give it all of them."))
        return chosen


class CreateKeyForm(OnceForm, LifetimeForm, ScopesForm):
    """A new key. `once` makes a second submit of the same form harmless."""

    server = forms.ModelChoiceField(
        label=_("MCP server"), queryset=McpServer.objects.none(), widget=forms.RadioSelect, empty_label=None
    )
    field_order = ["name", "labels", "server", "access", "lifetime", "until"]

    def __init__(self, *args: Any, company: Company, servers: QuerySet[McpServer], **kwargs: Any) -> None:
        super().__init__(*args, company=company, **kwargs)
        self.servers = list(servers)
        field = self.fields["server"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = servers
        field.initial = self.servers[0].pk if self.servers else None
        for server in self.servers:
            self.add_tools(server)
        offer(self, policy_of(company), never=NEVER)

    def clean(self) -> dict[str, Any]:
        """`scopes` from what was chosen, beside what the choice of a lifetime gives."""
        data = super().clean()
        if server := data.get("server"):
            data["scopes"] = self.scopes_for(server)
        return data


class EditKeyForm(ScopesForm):
    """Name, scopes, addresses and limits of a key in use."""

    def __init__(self, *args: Any, key: Key, tool: str = "", **kwargs: Any) -> None:
        """`tool`: ticked beside what the key may do already; nothing is given before the form is sent."""
        self.key = key
        tools = [
            scope.removeprefix(scopes.TOOL_PREFIX) for scope in key.scopes if scope not in {scopes.ALL, scopes.READ}
        ]
        general = next((scope for scope in (scopes.ALL, scopes.READ) if scope in key.scopes), CHOSEN)
        if tools and general == scopes.READ:  # a mixture that only the API makes: shown as a choice of tools
            tools += sorted(key.server.read_only_tools - set(tools))
            general = CHOSEN
        if tool and general == scopes.READ:
            tools, general = sorted({*tools, *key.server.read_only_tools}), CHOSEN
        if tool:
            tools.append(tool)
        kwargs["initial"] = {
            "name": key.name,
            "labels": key.labels,
            "access": general,
            "allowed_ips": key.allowed_ips,
            "per_minute": key.per_minute,
            "per_month": key.per_month,
        }
        super().__init__(*args, **kwargs)
        self.add_tools(key.server, tools)

    def clean(self) -> dict[str, Any]:
        """`scopes` from what was chosen."""
        data = super().clean() or self.cleaned_data
        data["scopes"] = self.scopes_for(self.key.server)
        return data

    def changes(self) -> dict[str, Any]:
        """The fields for keys.services.update_key."""
        names = ("name", "labels", "scopes", "allowed_ips", "per_minute", "per_month")
        return {name: self.cleaned_data[name] for name in names}

    def widens(self) -> bool:
        """Whether it would let the key do more, from more places or more often, than now."""
        key, new = self.key, self.changes()
        more_tools = not scopes.narrower_or_equal(new["scopes"], key.scopes, key.server.read_only_tools)
        kept_in = bool(new["allowed_ips"]) and set(new["allowed_ips"]) <= set(key.allowed_ips)
        more_calls = any(
            old is not None and (new[name] is None or new[name] > old)
            for name, old in (("per_minute", key.per_minute), ("per_month", key.per_month))
        )
        return more_tools or (bool(key.allowed_ips) and not kept_in) or more_calls


class RotateKeyForm(forms.Form):
    """How long the old value is still accepted."""

    overlap = forms.TypedChoiceField(
        label=_("How long should the old value still work?"),
        choices=[(value, label) for value, label, _help in OVERLAPS],
        widget=forms.RadioSelect,
        initial="24",
        coerce=lambda hours: timedelta(hours=int(hours)),
    )


class RevokeKeyForm(forms.Form):
    """Why a key ends, or a credential, a token, a connection. Its template is keys/_reasons.html."""

    reasons = REASONS
    reason = forms.ChoiceField(
        label=_("Why do you revoke it?"),
        choices=[(str(number), label) for number, (label, _help) in enumerate(REASONS)],
        widget=forms.RadioSelect,
        initial="0",
    )
    details = forms.CharField(
        label=_("In a few words"),
        required=False,
        max_length=200,
        help_text=_("It is kept in the audit record, where your company can read it."),
    )

    def clean(self) -> dict[str, Any]:
        """“Something else” alone says nothing: it needs words."""
        data = super().clean() or self.cleaned_data
        if data.get("reason") == ELSE and not data.get("details") and "details" not in self.errors:
            self.add_error("details", _("Say in a few words why."))
        return data

    def words(self) -> str:
        """The reason as it is recorded; a key that somebody pasted into it loses its secret."""
        reason, details = self.cleaned_data["reason"], self.cleaned_data["details"]
        with translation.override("en"):  # others read it in their language: portal/audit/reasons.py
            label = str(REASONS[int(reason)][0])
        return redact(details if reason == ELSE else f"{label}: {details}" if details else label)
