"""Forms of the staff's pages."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from keys.models import CredentialState
from portal.accounts.models import User
from portal.companies.models import CompanyState
from portal.staff.roles import StaffRole
from portal.staff.selectors import fitting_sort

KEY_REASONS: Final = [
    ("", _("Choose a reason")),
    ("Leaked", _("Leaked")),
    ("Suspected misuse", _("Suspected misuse")),
    ("The company asked for it", _("The company asked for it")),
    ("No longer needed", _("No longer needed")),
    ("Other", _("Other")),
]
COMPANY_REASONS: Final = [
    ("", _("Choose a reason")),
    ("Suspected misuse", _("Suspected misuse")),
    ("Card no longer valid", _("Card no longer valid")),
    ("The company asked for it", _("The company asked for it")),
    ("Terms not kept", _("Terms not kept")),
    ("Other", _("Other")),
]


class FindForm(forms.Form):
    """One box for a pasted key or a part of one. Its value is never shown again."""

    key = forms.CharField(
        label=_("Find"),
        max_length=2000,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "spellcheck": "false",
                "placeholder": _("Key, e-mail, company, address, request id…"),
            }
        ),
    )


class KeyFilter(forms.Form):
    """Which keys the list shows."""

    q = forms.CharField(required=False, max_length=120, widget=forms.HiddenInput)
    company = forms.CharField(required=False, max_length=12, widget=forms.HiddenInput)
    user = forms.CharField(required=False, max_length=12, widget=forms.HiddenInput)
    state = forms.ChoiceField(
        label=_("State"), required=False, choices=[("", _("Any state")), *CredentialState.choices]
    )
    server = forms.ChoiceField(label=_("MCP server"), required=False)
    sort = forms.ChoiceField(
        label=_("Order"),
        required=False,
        choices=[
            ("newest", _("Newest first")),
            ("oldest", _("Oldest first")),
            ("expiring", _("Expiring soonest")),
            ("revoked", _("Revoked last")),
        ],
    )

    def __init__(self, data: QueryDict, *, servers: list[tuple[str, str]]) -> None:
        asked = data.dict()
        asked["sort"] = fitting_sort(str(asked.get("state", "")), str(asked.get("sort", "")))
        super().__init__(asked)
        field = self.fields["server"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("Any MCP server")), *servers]


class CompanyFilter(forms.Form):
    """Which companies the list shows."""

    q = forms.CharField(required=False, max_length=120)
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("Any state")), *CompanyState.choices])
    sort = forms.ChoiceField(
        label=_("Order"),
        required=False,
        choices=[("newest", _("Newest first")), ("oldest", _("Oldest first")), ("name", _("By name"))],
    )


class ServerFilter(forms.Form):
    """Which MCP servers the list shows."""

    q = forms.CharField(required=False, max_length=120)
    owner = forms.ChoiceField(
        label=_("Open to"),
        required=False,
        choices=[("", _("Any owner")), ("everyone", _("Everyone's")), ("company", _("A company's own"))],
    )


class ReasonForm(forms.Form):
    """Why staff do something to a company: recorded, and shown to the company."""

    why = forms.ChoiceField(label=_("Reason"), choices=COMPANY_REASONS)
    note = forms.CharField(
        label=_("In your words"),
        required=False,
        max_length=240,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The company reads this in its audit record. Leave out anything secret."),
    )

    def clean(self) -> dict[str, Any]:
        """“Other” alone says nothing: it needs words."""
        data = super().clean() or self.cleaned_data
        if data.get("why") == "Other" and not data.get("note", "").strip():
            self.add_error("note", _("Say in a few words why."))
        return data

    @property
    def reason(self) -> str:
        """The reason as one line: “Leaked: found in a public repository”."""
        why, note = self.cleaned_data["why"], " ".join(self.cleaned_data["note"].split())
        if why == "Other":
            return note
        return f"{why}: {note}" if note else why


class RevokeForm(ReasonForm):
    """Why keys are revoked."""

    why = forms.ChoiceField(label=_("Reason"), choices=KEY_REASONS)


class RevokeUnderForm(RevokeForm):
    """Why, and under which open incident if under any."""

    incident = forms.ChoiceField(label=_("Incident"), required=False)

    field_order = ("why", "note", "incident", "confirm")

    def __init__(self, *args: Any, incidents: list[tuple[str, str]], none: Any = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["incident"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", none or _("None")), *incidents]
        if not incidents:
            del self.fields["incident"]


class RevokeManyForm(RevokeUnderForm):
    """Revoking more than a few: their number is typed, so that nobody does it by a slip."""

    confirm = forms.IntegerField(label=_("Type the number of keys to confirm"))

    def __init__(self, *args: Any, number: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.number = number

    def clean_confirm(self) -> int:
        """The number must be that of the keys."""
        if self.cleaned_data["confirm"] != self.number:
            raise forms.ValidationError(_("These are %(number)s keys."), params={"number": self.number})
        return self.number


class PlanForm(forms.Form):
    """Which plan a company has: the limits of its keys."""

    plan = forms.ChoiceField(label=_("Plan"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["plan"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, _plan_label(name, *limits)) for name, limits in settings.PLANS.items()]


def _plan_label(name: str, per_minute: int | None, per_month: int | None) -> str:
    if per_minute is None or per_month is None:
        return str(_("%(plan)s: without limit")) % {"plan": name.capitalize()}
    words = _("%(plan)s: %(minute)s calls a minute and %(month)s a month for each key")
    return str(words) % {"plan": name.capitalize(), "minute": intcomma(per_minute), "month": intcomma(per_month)}


class LimitsForm(forms.Form):
    """Limits of one key, which may be more than its company's plan gives."""

    per_minute = forms.IntegerField(
        label=_("Calls a minute"), required=False, min_value=1, max_value=100_000,
        help_text=_("Empty: the limit of the company's plan."),
    )  # fmt: skip
    per_month = forms.IntegerField(
        label=_("Calls a month"), required=False, min_value=1, max_value=1_000_000_000,
        help_text=_("Empty: the limit of the company's plan."),
    )  # fmt: skip


class ConfirmForm(forms.Form):
    """Nothing to fill in: the button confirms."""


class StopForm(forms.Form):
    """Why an MCP server is stopped."""

    reason = forms.CharField(label=_("Reason"), max_length=300, widget=forms.Textarea(attrs={"rows": 3}))


class RoleForm(forms.Form):
    """What somebody is among the staff."""

    role = forms.ChoiceField(
        label=_("Role"),
        required=False,
        choices=[
            (StaffRole.ADMINISTRATOR, _("Administrator: everything, also MCP servers, credentials and roles")),
            (StaffRole.SUPPORT, _("Support: sees everything, revokes, suspends, stops")),
            (StaffRole.VIEWER, _("Viewer: sees everything")),
            ("", _("None: does not belong to the staff")),
        ],
        widget=forms.RadioSelect,
    )


class SignOutForm(forms.Form):
    """Why somebody is signed out."""

    reason = forms.CharField(label=_("Reason"), max_length=240, widget=forms.Textarea(attrs={"rows": 3}))


class EraseForm(forms.Form):
    """Why a person is erased, and their address, typed: nobody is erased by a slip."""

    reason = forms.CharField(
        label=_("Reason"), max_length=240, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("It stays in the record for good: write who asked for it and when, and do not name the person."),
    )  # fmt: skip
    confirm = forms.CharField(
        label=_("Type their e-mail address to confirm"), widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_confirm(self) -> str:
        """It must be the account's."""
        if str(self.cleaned_data["confirm"]).strip().lower() != self.user.email:
            raise forms.ValidationError(_("This is not the address of this account."))
        return self.user.email

    def clean_reason(self) -> str:
        """What is kept must not bring back what is erased."""
        reason = str(self.cleaned_data["reason"])
        if any(word and word.lower() in reason.lower() for word in (self.user.email, self.user.name)):
            raise forms.ValidationError(_("The reason names the person. It is kept: leave the name and address out."))
        return reason
