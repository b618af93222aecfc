"""The pages that end keys: one, several at once, and the old value of a rotated one. None asks for a new sign-in first:
after a leak every second counts."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from keys import services
from keys.errors import LifecycleError
from keys.forms import RevokeKeyForm
from keys.pages import form_page, managed_key_or_refuse, may_manage
from keys.selectors import company_keys
from portal.audit.actors import Actor
from portal.companies.access import CompanyRequest, company_page
from portal.ids import new_id

MOST = 100  # of one page of the list and some more
FEW = 10  # more than these are typed out before they end


class RevokeManyForm(RevokeKeyForm):
    """Why several keys end; of more than FEW also how many there are."""

    count = forms.CharField(
        label=_l("How many keys are that?"),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args: object, number: int, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.number = number
        if number <= FEW:
            del self.fields["count"]
        else:
            self.fields["count"].help_text = _("Type %(number)d to confirm that you mean all of them.") % {
                "number": number
            }

    def clean_count(self) -> str:
        """The number, if it is right."""
        typed = str(self.cleaned_data["count"]).strip()
        if typed != str(self.number):
            raise forms.ValidationError(
                _("Type %(number)d, the number of keys on this page.") % {"number": self.number}
            )
        return typed


@form_page
@company_page("key:manage_own")
def revoke(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """Refuse a key for good."""
    key = managed_key_or_refuse(request, key_id)
    form = RevokeKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.revoke_key(key=key, reason=form.words(), actor=Actor.user(request.user, request))
        messages.success(request, _("The key was revoked. Every MCP server refuses it from now on."))
        return redirect("keys:detail", slug=slug, key_id=key.pk)
    return render(request, "keys/revoke.html", {"form": form, "key": key})


@form_page
@company_page("key:manage_own")
def revoke_many(request: CompanyRequest, slug: str) -> HttpResponse:
    """Refuse several keys for good, for one reason. `?key=`: their ids; who may not revoke one is told."""
    ids = list(dict.fromkeys(request.GET.getlist("key")))[:MOST]
    found = list(company_keys(request.company).filter(pk__in=ids, revoked_at=None))
    keys = [key for key in found if may_manage(request, key) and key.is_usable]
    if not keys:
        messages.info(request, _("Tick keys that are in use and that you may revoke."))
        return redirect("keys:list", slug=slug)
    form = RevokeManyForm(request.POST or None, number=len(keys))
    if request.method == "POST" and form.is_valid():
        services.revoke_keys(
            key_ids=dict.fromkeys(value for key in keys for value in services.accepted_values(key)),
            reason=form.words(),
            actor=Actor.user(request.user, request),
            incident_id=new_id() if len(keys) > 1 else "",
        )
        words = ngettext(
            "%(count)d key was revoked. Every MCP server refuses it from now on.",
            "%(count)d keys were revoked. Every MCP server refuses them from now on.",
            len(keys),
        )
        messages.success(request, words % {"count": len(keys)})
        return redirect("keys:list", slug=slug)
    context = {"form": form, "keys": keys, "left_out": len(ids) - len(keys)}
    return render(request, "keys/revoke_many.html", context)


@require_POST
@company_page("key:manage_own")
def end_overlap(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """Stop accepting the old value of a rotated key now. Needs no recent sign-in: it only takes away."""
    key = managed_key_or_refuse(request, key_id)
    try:
        services.end_overlap(key=key, actor=Actor.user(request.user, request))
    except LifecycleError as error:
        messages.info(request, str(error))
    else:
        messages.success(request, _("The old value is refused from now on."))
    newer = getattr(key, "replaced_by", None) or key
    return redirect("keys:detail", slug=slug, key_id=newer.pk)
