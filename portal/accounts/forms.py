"""Forms of accounts."""

from __future__ import annotations

from typing import Any, Final, cast

from allauth.account.adapter import get_adapter
from allauth.account.forms import (
    AddEmailForm,
    ChangePasswordForm,
    LoginForm,
    ReauthenticateForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SetPasswordForm,
)
from allauth.account.forms import SignupForm as _SignupForm
from allauth.core import context
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import UserAttributeSimilarityValidator
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import User
from portal.accounts.services import register, register_invited
from portal.audit.actors import Actor
from portal.companies.in_hand import invitation_in_hand
from portal.companies.models import Currency
from portal.names import clean_company_name, clean_name

LONGEST_ADDRESS: Final = 254  # as mail has it (RFC 5321), and as accounts keep it


class _Plain(forms.Form):
    """Takes allauth's placeholders away: they say the label once more, and are gone when one types. And an address that
    is longer than accounts can keep is refused at once, not when its code comes back.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            if name in {"email", "login"}:
                field.label = _("E-mail address")
            if name == "email":
                field.validators.append(MaxLengthValidator(LONGEST_ADDRESS))
                field.widget.attrs["maxlength"] = str(LONGEST_ADDRESS)
            if name in {"password1", "password"} and field.widget.attrs.get("autocomplete") == "new-password":
                field.help_text = _("At least 10 characters. A few unrelated words make a good one.")


class PlainLoginForm(_Plain, LoginForm):
    """Sign-in."""


class PlainReauthenticateForm(_Plain, ReauthenticateForm):
    """A fresh proof of who somebody is."""


class PlainResetPasswordForm(_Plain, ResetPasswordForm):
    """Asking for a new password."""


class PlainResetPasswordKeyForm(_Plain, ResetPasswordKeyForm):
    """The new password, from the link in a mail."""


class PlainChangePasswordForm(_Plain, ChangePasswordForm):
    """Another password."""


class PlainSetPasswordForm(_Plain, SetPasswordForm):
    """The first password."""


class PlainAddEmailForm(_Plain, AddEmailForm):
    """Another address."""


class SignupForm(_Plain, _SignupForm):
    """One page: the company and its first owner. Who came by an invitation makes no company."""

    field_order = ["company_name", "currency", "name", "email", "password1"]

    company_name = forms.CharField(
        label=_("Company name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    currency = forms.ChoiceField(label=_("Currency"), choices=Currency, initial=Currency.USD)
    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invitation = invitation_in_hand(context.request) if context.request else None
        if self.invitation:
            del self.fields["company_name"], self.fields["currency"]
            self.initial["email"] = self.invitation.email
            self.fields["email"].disabled = True
        if password := self.fields.get("password1"):
            password.widget.attrs |= {"data-strength": "strength"}

    def clean_company_name(self) -> str:
        """The name, as names must be."""
        return clean_company_name(self.cleaned_data["company_name"])

    def clean_name(self) -> str:
        """The name, as names must be."""
        return clean_name(self.cleaned_data["name"])

    def clean(self) -> dict[str, Any]:
        """Refuse a password that is like the person's or the company's name."""
        cleaned = super().clean() or {}
        password = cleaned.get("password1")
        if password and "password1" not in self.errors:
            for source, said in (
                ("name", _("The password is too similar to your name.")),
                ("company_name", _("The password is too similar to the company's name.")),
            ):
                try:
                    UserAttributeSimilarityValidator(("name",)).validate(password, User(name=cleaned.get(source, "")))
                except forms.ValidationError:
                    self.add_error("password1", said)
        return cleaned

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """Register, or with a known address answer the same, after the same work."""
        if self.account_already_exists:
            # A new account costs one hash of a password; without it the time would tell that this one is known.
            make_password(self.cleaned_data["password1"])
        return cast("tuple[User | None, HttpResponse | None]", super().try_save(request))

    def save(self, request: HttpRequest) -> User:
        """The new user, with a company. The password is hashed before the transaction: that takes long."""
        if self.account_already_exists:
            raise ValueError("A known address is never registered again.")
        adapter = get_adapter()
        user = cast(User, adapter.save_user(request, adapter.new_user(request), self, commit=False))
        user.name = self.cleaned_data["name"]
        user.language = _language_of_the_page()
        if self.invitation:
            register_invited(user=user, actor=Actor.user(user, request))
            return user
        register(
            user=user,
            company_name=self.cleaned_data["company_name"],
            currency=self.cleaned_data["currency"],
            actor=Actor.user(user, request),
        )
        return user


def _language_of_the_page() -> str:
    """What a new person is written to in from now on; empty, which is as the browser asks, for the portal's own."""
    language = get_language() or ""
    return language if language != settings.LANGUAGE_CODE and language in dict(settings.LANGUAGES) else ""


class NameForm(forms.Form):
    """The person's name."""

    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))

    def clean_name(self) -> str:
        """The name, as names must be."""
        return clean_name(self.cleaned_data["name"])


class DeleteAccountForm(forms.Form):
    """The person types their own address: nobody deletes an account by a slip."""

    confirm = forms.EmailField(
        label=_("Type your e-mail address to confirm"), widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_confirm(self) -> str:
        """It must be the account's."""
        if self.cleaned_data["confirm"].strip().lower() != self.user.email:
            raise forms.ValidationError(_("This is not the address of this account."))
        return self.user.email
