"""Forms whose answer shows a secret: sent a second time, they make nothing and show nothing."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any, Final, TypeVar

from django import forms
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from keys.tokens import Token
from portal.companies.access import CompanyRequest
from portal.companies.models import Company

T = TypeVar("T")
MADE: Final = "keys_made"  # in the session: one-time values of forms that made something, and its id
MADE_KEPT: Final = 20
_ONE_TIME = re.compile(r"[A-Za-z0-9_-]{22}").fullmatch


class OnceForm(forms.Form):
    """A form with a one-time value: `once`."""

    once = forms.CharField(widget=forms.HiddenInput, initial=lambda: secrets.token_urlsafe(16))

    def clean_once(self) -> str:
        """The one-time value of the form."""
        once = self.cleaned_data["once"]
        if not _ONE_TIME(once):
            raise forms.ValidationError(_("Load the page again."))
        return str(once)


def make_once(request: CompanyRequest, once: str, make: Callable[[], tuple[T, Token]]) -> tuple[T, Token] | str:
    """What `make` gives, or the id of what this very form made before.

    The page with the value is the answer to the POST itself, so a reload posts again. The company's row is locked
    before the session is read, so two submits at once make one thing, too.
    """
    with transaction.atomic():
        Company.objects.select_for_update().get(pk=request.company.pk)
        stored = type(request.session)(request.session.session_key)
        made: dict[str, str] = stored.get(MADE, {})
        if once in made:
            request.session[MADE] = made  # what this request saves at its end must not forget it
            return made[once]
        thing: Any
        thing, token = make()
        request.session[MADE] = dict([*made.items(), (once, thing.pk)][-MADE_KEPT:])
        request.session.save()
        return thing, token
