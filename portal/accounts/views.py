"""The account page."""

from __future__ import annotations

from typing import cast

from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.accounts.forms import NameForm
from portal.accounts.models import User
from portal.accounts.services import change_name
from portal.audit.actors import Actor
from portal.companies.access import last_company
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
