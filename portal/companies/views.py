"""Pages of a company that know nothing of keys: the way home, a new company, the team."""

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
from portal.companies.access import CompanyRequest, company_page, last_company
from portal.companies.forms import CompanyForm
from portal.companies.roles import Role
from portal.companies.selectors import company_members
from portal.companies.services import create_company
from portal.companies.words import ROLE_WORDS


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """To the company that the person opened last; without one, to make one."""
    membership = last_company(request)
    if membership is None:
        return redirect("new_company")
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
    return render(request, "companies/new.html", {"form": form, "first": last_company(request) is None})


@require_safe
@company_page("member:view")
def team(request: CompanyRequest, slug: str) -> HttpResponse:
    """The members of the company, and what each role may do."""
    members = list(company_members(request.company))
    roles = [(Role(role), ROLE_WORDS[Role(role)]) for role in Role]
    return render(request, "companies/team.html", {"members": members, "roles": roles})
