"""Forms of the company pages."""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from portal.companies.models import Company, Currency, Membership
from portal.companies.roles import Role
from portal.names import clean_company_name


class CompanyForm(forms.Form):
    """Name and currency of a new company."""

    company_name = forms.CharField(
        label=_("Company name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    currency = forms.ChoiceField(label=_("Currency"), choices=Currency, initial=Currency.USD)

    def clean_company_name(self) -> str:
        """The name, as names must be."""
        return clean_company_name(self.cleaned_data["company_name"])


class InviteForm(forms.Form):
    """Who is invited, and as what."""

    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect, initial=Role.DEVELOPER)

    def __init__(self, *args: Any, roles: list[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_roles(self, roles)

    def clean_email(self) -> str:
        """The address as accounts keep it."""
        return self.cleaned_data["email"].strip().lower()


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, roles: list[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_roles(self, roles)


REVOKE: Final = "revoke"
HAND_OVER: Final = "hand_over"


class RemoveForm(forms.Form):
    """What becomes of what acts for a member who is removed."""

    keys = forms.ChoiceField(widget=forms.RadioSelect, initial=REVOKE)
    heir = forms.ModelChoiceField(
        label=_("To whom"), queryset=Membership.objects.none(), required=False, empty_label=_("Choose a member")
    )

    def __init__(self, *args: Any, heirs: list[Membership], number: int, **kwargs: Any) -> None:
        """`number`: how many keys can be handed over."""
        super().__init__(*args, **kwargs)
        self.number = number
        if not heirs or not number:
            del self.fields["keys"], self.fields["heir"]
            return
        choice = self.fields["keys"]
        assert isinstance(choice, forms.ChoiceField)
        choice.label = ngettext("What should become of the key?", "What should become of the keys?", number)
        choice.choices = [
            (REVOKE, ngettext("Revoke it now", "Revoke them now", number)),
            (HAND_OVER, ngettext("Hand it to another member", "Hand them to another member", number)),
        ]
        _offer_members(self, "heir", heirs)

    def clean(self) -> dict[str, Any]:
        """Handing over needs somebody to hand to."""
        data = super().clean() or self.cleaned_data
        if data.get("keys") == HAND_OVER and not data.get("heir") and "heir" not in self.errors:
            self.add_error("heir", _("Choose who gets them."))
        return data

    @property
    def chosen_heir(self) -> Membership | None:
        """The member who takes over; None: everything ends."""
        return self.cleaned_data.get("heir") if self.cleaned_data.get("keys") == HAND_OVER else None


class TransferForm(forms.Form):
    """Who owns the company from now on."""

    to = forms.ModelChoiceField(
        label=_("New owner"), queryset=Membership.objects.none(), empty_label=_("Choose a member")
    )

    def __init__(self, *args: Any, members: list[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_members(self, "to", members)


class ProfileForm(CompanyForm):
    """Name, currency and time zone of a company."""

    time_zone = forms.ChoiceField(label=_("Time zone"), help_text=_("Dates on the company's pages are in it."))

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        now = {"company_name": company.name, "currency": company.currency, "time_zone": company.time_zone}
        super().__init__(*args, **kwargs | {"initial": now})
        zones = self.fields["time_zone"]
        assert isinstance(zones, forms.ChoiceField)
        zones.choices = [(name, name.replace("_", " ")) for name in sorted({*time_zones(), company.time_zone})]


class SecurityForm(forms.Form):
    """What the company asks of its members."""

    require_second_factor = forms.BooleanField(
        label=_("Every member needs a second factor"),
        required=False,
        help_text=_(
            "Members without an authenticator app or passkey are led to set one up before they see the company's "
            "pages. Their management tokens are refused until then. Keys in use go on working."
        ),
    )


class CloseForm(forms.Form):
    """The company's name, typed: closing is not done by a slip."""

    name = forms.CharField(
        label=_("Type the company's name"), max_length=120, widget=forms.TextInput({"autocomplete": "off"})
    )

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company

    def clean_name(self) -> str:
        """Only the company's own name will do; upper and lower case do not matter."""
        name = " ".join(self.cleaned_data["name"].split())
        if name.casefold() != self.company.name.casefold():
            raise forms.ValidationError(_("This is not the company's name. Type it as it stands above."))
        return name


@cache
def time_zones() -> frozenset[str]:
    """The time zones that people choose from: those of places, and UTC."""
    areas = ("Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")
    return frozenset(name for name in available_timezones() if name.startswith(areas) or name == "UTC")


def _offer_roles(form: forms.Form, roles: list[Role]) -> None:
    field = form.fields["role"]
    assert isinstance(field, forms.ChoiceField)
    field.choices = [(role.value, role.label) for role in roles]


def _member_words(member: Membership) -> str:
    return f"{member.user.name} ({member.user.email})"


def _offer_members(form: forms.Form, name: str, members: list[Membership]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)
    field.queryset = Membership.objects.filter(pk__in=[member.pk for member in members]).select_related("user")
    field.label_from_instance = _member_words  # type: ignore[assignment]
