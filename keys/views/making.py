"""The pages that make a value: a new key, and a new value of a key. They alone ever show one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from keys import services
from keys.errors import AlreadyRotated, LifecycleError
from keys.forms import OVERLAPS, CreateKeyForm, RotateKeyForm
from keys.models import Key
from keys.once import make_once
from keys.pages import connecting, explain, form_page, managed_key_or_refuse
from keys.pictures import planned
from keys.selectors import company_labels, visible_servers
from keys.tokens import Token
from keys.trying.first_call import key_call
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.actors import Actor
from portal.companies.access import CompanyRequest, company_page


@never_cache
@form_page
@company_page("key:create")
@recent_sign_in_required
def new(request: CompanyRequest, slug: str) -> HttpResponse:
    """Create a key, and show its value this once."""
    company = request.company
    if not company.is_active:
        return redirect("keys:list", slug=slug)  # the list says what has to be done first
    servers = visible_servers(company)
    initial = {"name": _suggested_name(request)}
    form = CreateKeyForm(request.POST or None, company=company, servers=servers, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = _create(request, form.cleaned_data)
        except LifecycleError as error:
            explain(form, error)
        else:
            if isinstance(made, str):
                messages.info(
                    request, _("This key was created already. Its value was shown once; rotate it for a new one.")
                )
                return redirect("keys:detail", slug=slug, key_id=made)
            return _shown_once(request, *made, old=None)
    return render(request, "keys/new.html", {"form": form, "company": company, "labels": company_labels(company)})


@never_cache
@form_page
@company_page("key:manage_own")
@recent_sign_in_required
def rotate(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """Give a key a new value, shown this once; the old one is accepted for a while."""
    key = managed_key_or_refuse(request, key_id)
    form = RotateKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made, token = services.rotate_key(
                key=key, overlap=form.cleaned_data["overlap"], actor=Actor.user(request.user, request)
            )
        except AlreadyRotated:  # a reload, or somebody else was first: its newer value is the one to look at
            messages.info(request, _("This key was rotated already. Its new value was shown once."))
            return redirect("keys:detail", slug=slug, key_id=Key.objects.get(replaces=key).pk)
        except LifecycleError as error:
            form.add_error(None, str(error))
        else:
            key.refresh_from_db()
            return _shown_once(request, made, token, old=key)
    plans = {value: planned(key, int(value)) for value, _label, _help in OVERLAPS}
    return render(request, "keys/rotate.html", {"form": form, "key": key, "overlaps": OVERLAPS, "plans": plans})


def _suggested_name(request: CompanyRequest) -> str:
    first = (request.user.name or request.user.email).split("@")[0].split()[0]
    name, taken = _("%(name)s's AI assistant") % {"name": first}, request.company.keys.filter(user=request.user).count()
    return f"{name} {taken + 1}" if taken else name


def _create(request: CompanyRequest, data: dict[str, Any]) -> tuple[Key, Token] | str:
    """The new key and its token, or the id of the key that this very form made before."""
    return make_once(
        request,
        data["once"],
        lambda: services.create_key(
            company=request.company,
            server=data["server"],
            user=request.user,
            name=data["name"],
            scopes=data["scopes"],
            expires_at=data["expires_at"],
            allowed_ips=data["allowed_ips"],
            per_minute=data["per_minute"],
            per_month=data["per_month"],
            labels=data["labels"],
            actor=Actor.user(request.user, request),
        ),
    )


def _shown_once(request: CompanyRequest, key: Key, token: Token, *, old: Key | None) -> HttpResponse:
    """The one page that ever shows a key's value.

    This is an exception to our pattern of redirecting POST to GET: the value would have to be kept somewhere
    (the session, a cache, the address) to be shown after a redirect. It exists in this response only, which
    `never_cache` keeps out of every cache (`no-store`).
    """
    context = {"key": key, "token": token.text, "old": old, "call": key_call(key), **connecting(key, token.text)}
    return render(request, "keys/created.html", context)
