"""The account page."""

from __future__ import annotations

from typing import cast

from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portal.accounts.erasure import erase_user, plan_for
from portal.accounts.forms import DeleteAccountForm, NameForm
from portal.accounts.models import User
from portal.accounts.reauthentication import recent_sign_in_required
from portal.accounts.services import change_name
from portal.audit.actors import Actor
from portal.companies.access import last_company
from portal.companies.errors import CompanyError
from portal.companies.selectors import user_memberships


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """The person's name, and the ways to everything else about their account."""
    user = cast(User, request.user)
    form = NameForm(request.POST or None, initial={"name": user.name})
    if request.method == "POST" and form.is_valid():
        change_name(user=user, name=form.cleaned_data["name"], actor=Actor.user(user, request))
        messages.success(request, _("Your name is changed."))
        return redirect("account")
    last_company(request)
    return render(
        request,
        "accounts/account.html",
        {
            "form": form,
            "memberships": user_memberships(user),
            "sessions": UserSession.objects.filter(user=user).count(),
            "has_second_factor": is_mfa_enabled(user),
        },
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recent_sign_in_required
def delete(request: HttpRequest) -> HttpResponse:
    """Delete the person's account: everything that names them is erased, and they are signed out."""
    user = cast(User, request.user)
    plan, form = plan_for(user), DeleteAccountForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        try:
            erase_user(user=user, actor=Actor.user(user, request))
        except CompanyError as error:
            form.add_error(None, str(error.message))
        else:
            logout(request)
            messages.success(request, _("Your account is deleted, and with it everything that named you."))
            return redirect("landing")
    last_company(request)
    return render(request, "accounts/delete.html", {"form": form, "plan": plan})
