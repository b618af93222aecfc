"""Forms of revoking by rule: the rule itself, and what has to be said before it runs."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from keys import scopes
from keys.models import McpServer
from portal.accounts.models import User
from portal.companies.models import Company
from portal.staff.errors import RuleEmpty
from portal.staff.forms import RevokeForm
from portal.staff.revocations.finds import Number
from portal.staff.revocations.rules import Rule

QUICK = 10  # more than this at once need a recent sign-in and their number typed


class MomentField(forms.DateTimeField):
    """A moment of UTC, by the browser's own picker."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def __init__(self, **kwargs: Any) -> None:
        formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"]
        super().__init__(required=False, input_formats=formats, **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        """The moment, always in UTC."""
        found = super().to_python(value)
        return found.replace(tzinfo=UTC) if found else None


class RuleForm(forms.Form):
    """Which keys and connections: all conditions that are filled in hold at once."""

    company = forms.CharField(label=_("Company"), required=False, max_length=120, help_text=_("Its id, slug or name."))
    member = forms.CharField(label=_("Member"), required=False, max_length=254, help_text=_("E-mail address or id."))
    server = forms.CharField(label=_("MCP server"), required=False, max_length=64, help_text=_("Its id or name."))
    scope = forms.CharField(
        label=_("Scope"), required=False, max_length=140,
        help_text=_("Exactly as the key has it: tools:*, tools:read or tool:get_companies."),
    )  # fmt: skip
    address = forms.CharField(
        label=_("Seen from"), required=False, max_length=49, help_text=_("An address or range: 203.0.113.0/24.")
    )
    made_after = MomentField(label=_("Made at or after (UTC)"))
    made_before = MomentField(label=_("Made before (UTC)"))
    used_after = MomentField(label=_("Last used at or after (UTC)"))
    used_before = MomentField(label=_("First used before (UTC)"))
    unused_since = MomentField(label=_("Not used since (UTC)"))
    no_expiry = forms.BooleanField(label=_("Without expiry"), required=False)

    rule: Rule | None = None

    def clean_company(self) -> str:
        """The id of the one company that is meant."""
        return self._one("company", Company, ("pk", "slug", "name__iexact"), _("No company has this id, slug or name."))

    def clean_member(self) -> str:
        """The id of the person."""
        return self._one("member", User, ("pk", "email__iexact"), _("Nobody has this address or id."))

    def clean_server(self) -> str:
        """The id of the one MCP server that is meant."""
        return self._one("server", McpServer, ("pk", "name"), _("No MCP server has this id or name."))

    def _one(self, field: str, model: Any, lookups: tuple[str, ...], missing: Any) -> str:
        text = self.cleaned_data[field].strip()
        if not text:
            return ""
        for lookup in lookups:
            found = list(model.objects.filter(**{lookup: text}).values_list("pk", flat=True)[:2])
            if len(found) > 1:
                raise forms.ValidationError(_("Several have this name: use the id."))
            if found:
                return str(found[0])
        raise forms.ValidationError(missing)

    def clean_scope(self) -> str:
        """A scope by its form: nothing else can stand in the text that is looked for."""
        text = str(self.cleaned_data["scope"]).strip()
        if not text:
            return ""
        try:
            return scopes.normalize([text])[0]
        except scopes.InvalidScope:
            raise forms.ValidationError(_("Use tools:*, tools:read or tool: and a name.")) from None

    def clean_address(self) -> str:
        """An address or range in its usual form."""
        text = str(self.cleaned_data["address"]).strip()
        try:
            return str(ip_network(text, strict=False)) if text else ""
        except ValueError:
            raise forms.ValidationError(_("Use an address or a range, such as 203.0.113.0/24.")) from None

    def clean(self) -> dict[str, Any]:
        """At least one condition."""
        data = super().clean() or self.cleaned_data
        if self.errors:
            return data
        conditions = {("user" if name == "member" else name): value for name, value in data.items() if value}
        try:
            self.rule = Rule(**conditions)
        except RuleEmpty as error:
            raise forms.ValidationError(str(error.message)) from None
        return data


class RunForm(RevokeForm):
    """What has to be said before a rule runs: why, under which incident, and (above a few) the number."""

    incident = forms.ChoiceField(
        label=_("Incident"), required=False, help_text=_("Everything that is done stands together under it.")
    )
    title = forms.CharField(
        label=_("Title of the new incident"), required=False, max_length=160,
        help_text=_("Empty: the reason."),
    )  # fmt: skip
    tell_owners = forms.BooleanField(label=_("Tell the owners of the companies by mail"), required=False, initial=True)
    confirm = forms.IntegerField(label=_("Type the number to confirm"), required=False)

    field_order = ("why", "note", "incident", "title", "tell_owners", "confirm")

    def __init__(self, *args: Any, number: Number, incidents: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.number = number
        choice = self.fields["incident"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [("", _("A new incident")), *incidents]
        if not incidents:
            del self.fields["incident"]
        if number.count <= QUICK:
            del self.fields["confirm"]
        elif not number.exact:
            self.fields["confirm"].help_text = _("The number above; a tenth more or less is as good.")

    def clean_confirm(self) -> int:
        """The number must be that of the preview as it is now."""
        typed: int | None = self.cleaned_data["confirm"]
        if typed is None or not self.number.is_meant_by(typed):
            raise forms.ValidationError(_("The rule finds %(number)s now."), params={"number": self.number})
        return typed
