"""The way home, and a new company."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.companies.access import last_company
from portal.companies.forms import CompanyForm
from portal.companies.in_hand import invitation_in_hand
from portal.companies.selectors import reopenable_memberships
from portal.companies.services import create_company


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """To the company that the person opened last; without one, to one that can be reopened, else to make one. Staff
    without a company come for their own pages.

    Who came by an invitation and had to sign in or sign up for it goes on to accept it.
    """
    if invitation_in_hand(request):
        return redirect("invitation")
    membership = last_company(request)
    if membership is None:
        user = cast(User, request.user)
        closed = reopenable_memberships(user).first()
        if closed is None and user.is_staff:
            return redirect("staff:dashboard")
        return redirect("reopen_company", slug=closed.company.slug) if closed else redirect("new_company")
    return redirect("company", slug=membership.company.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_company(request: HttpRequest) -> HttpResponse:
    """Make a company, the person's first or another one; then its card."""
    user = cast(User, request.user)
    form = CompanyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        company = create_company(
            name=form.cleaned_data["company_name"],
            currency=form.cleaned_data["currency"],
            owner=user,
            actor=Actor.user(user, request),
        )
        messages.success(request, _("The company is there. Confirm a card to make it active."))
        return redirect("card", slug=company.slug)
    context = {"form": form, "first": last_company(request) is None, "closed": reopenable_memberships(user)}
    return render(request, "companies/new.html", context)
