"""Testing a key, waiting for its first call, and looking at an MCP server as an AI client does."""

from __future__ import annotations

import logging
import time

from django import forms
from django.core.cache import cache
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from keys.limits import Limits, limiter
from keys.models import Key
from keys.pages import form_page, key_or_404
from keys.selectors import company_server
from keys.trying.calls import SECONDS
from keys.trying.chain import check
from keys.trying.first_call import NOTHING_NEW, key_call
from keys.trying.key import is_value_of, try_key
from portal.companies.access import CompanyRequest, company_page

log = logging.getLogger(__name__)
PER_MINUTE = 6
# One test at a time: each holds a web process for some seconds, and the server that it calls asks this very portal.
SLOT = "trying"


class ValueForm(forms.Form):
    """The value of a key, pasted. It is not shown again, whatever is wrong with it."""

    value = forms.CharField(
        label=_l("The key's value"),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "lk_…"}),
        help_text=_l("It is used for this one test and kept nowhere."),
    )

    def __init__(self, *args: object, key: Key, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.key = key

    def clean_value(self) -> str:
        """The value, if it is this key's: nothing else is sent anywhere."""
        value = str(self.cleaned_data["value"]).strip()
        if not is_value_of(self.key, value):
            raise forms.ValidationError(
                _("This is not the value of %(name)s (%(hint)s). Copy it whole, from where you keep it.")
                % {"name": self.key.name, "hint": self.key.hint}
            )
        return value


@never_cache
@sensitive_post_parameters("value")
@form_page
@company_page("key:view")
def test_key(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """Call the key's server with its value, and show what came back; to htmx, that part alone.

    The value is in the body of this request and in nothing that is answered or kept.
    """
    key = key_or_404(request, key_id)
    form = ValueForm(request.POST if request.method == "POST" else None, key=key)
    context = {"key": key, "form": form}
    if request.method == "POST" and form.is_valid():
        if wait := _wait(request):
            form.add_error(None, wait)
        else:
            try:
                context["trial"] = try_key(key, form.cleaned_data["value"])
            finally:
                cache.delete(SLOT)
            log.info("key %s was tested by user %s", key.pk, request.user.pk)
    is_part = request.headers.get("HX-Target") == "trial"
    return render(request, "keys/_trial.html" if is_part else "keys/test.html", context)


@never_cache
@require_safe
@company_page("key:view")
def first_call(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """The line that waits for the first call with this key; 204 while it would say what it says already."""
    key = key_or_404(request, key_id)
    call = key_call(key)
    if call.mark == request.GET.get("seen"):
        return HttpResponse(status=NOTHING_NEW)
    address = reverse("keys:first_call", kwargs={"slug": slug, "key_id": key.pk})
    return render(request, "keys/_first_call.html", {"call": call, "address": address})


@never_cache
@form_page
@company_page("server:view")
def check_server(request: CompanyRequest, slug: str, server_id: str) -> HttpResponse:
    """What an AI client sees on its way to sign in at this server, link by link."""
    server = company_server(request.company, server_id)
    if server is None:
        raise Http404
    context: dict[str, object] = {"server": server}
    if request.method == "POST":
        if wait := _wait(request):
            context["wait"] = wait
        else:
            try:
                context["links"] = check(server)
            finally:
                cache.delete(SLOT)
    return render(request, "servers/check.html", context)


def _wait(request: CompanyRequest) -> str:
    """Why nobody can be called now; '' takes the slot, which the caller gives back."""
    permit = limiter().take(f"try:{request.user.pk}", Limits(PER_MINUTE, None))
    if permit is not None and not permit.allowed:
        words = ngettext(
            "You have tested often. Wait %(seconds)d second and try again.",
            "You have tested often. Wait %(seconds)d seconds and try again.",
            permit.retry_after,
        )
        return words % {"seconds": permit.retry_after}
    if not cache.add(SLOT, time.time(), int(SECONDS) + 4):
        return _("Another test is running. Try again in a few seconds.")
    return ""
