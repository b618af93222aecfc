"""The account page, its sign-ins and sessions, and the reader's language."""

from __future__ import annotations

from typing import cast

from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.adapter import get_adapter as get_sessions_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts import sign_ins
from portal.accounts.erasure import erase_user, plan_for
from portal.accounts.forms import DeleteAccountForm, NameForm
from portal.accounts.models import User
from portal.accounts.reauthentication import recent_sign_in_required
from portal.accounts.services import change_language, change_name
from portal.audit.actors import Actor
from portal.companies.access import last_company, own_memberships
from portal.companies.errors import CompanyError
from portal.companies.selectors import reopenable_memberships
from portal.ui.views import YEAR, next_page

LATEST = 5
PAGE_SIZE = 25


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
            "memberships": own_memberships(request),
            "closed": reopenable_memberships(user),
            "sessions": UserSession.objects.filter(user=user).count(),
            "has_second_factor": is_mfa_enabled(user),
            "sign_ins": sign_ins.recent(user)[:LATEST],
        },
    )


@require_safe
@login_required
def sign_in_list(request: HttpRequest) -> HttpResponse:
    """Every sign-in to the account and every refused attempt that is kept."""
    user = cast(User, request.user)
    last_company(request)
    page = Paginator(sign_ins.recent(user), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "accounts/sign_ins.html", {"page": page, "kept_days": sign_ins.SIGN_INS_KEPT.days})


@require_POST
@login_required
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign one other browser out. This one signs out by its own button."""
    user = cast(User, request.user)
    session = get_object_or_404(UserSession, pk=session_id, user=user)
    if session.is_current():
        messages.info(request, _("This is the browser that you use now. Sign out to end it."))
    else:
        get_sessions_adapter().end_sessions([session])
        messages.success(request, _("That browser is signed out."))
    return redirect("usersessions_list")


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Remember `language` (one that is offered; else: as the browser asks), with the person and in a cookie."""
    chosen = request.POST.get("language", "")
    chosen = chosen if chosen in dict(settings.LANGUAGES) else ""
    if request.user.is_authenticated:
        change_language(user=request.user, language=chosen)
    response = HttpResponseRedirect(next_page(request))
    name = settings.LANGUAGE_COOKIE_NAME
    if chosen:
        response.set_cookie(name, chosen, YEAR, samesite="Lax", secure=request.is_secure(), httponly=True)
    else:
        response.delete_cookie(name)
    return response


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
