"""Who may open a company's page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts import way_back
from portal.accounts.models import User
from portal.companies.models import Company, Membership
from portal.companies.roles import ACTS
from portal.companies.second_factor import owes_second_factor
from portal.companies.selectors import reopenable_membership, user_companies, user_memberships

__all__ = [
    "CompanyRequest",
    "closed_company_page",
    "company_page",
    "last_company",
    "own_memberships",
    "second_factor_page",
    "user_companies",
]

LAST_COMPANY = "company"  # the session's note of the company that its person opened last


class CompanyRequest(HttpRequest):
    """A request that `company_page` let through."""

    user: User
    company: Company
    membership: Membership


def company_page(act: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Decorator for a view with the keyword `slug`: only for members whose role may do `act`.

    Who is not signed in goes to sign in. A slug that is none of the person's companies is 404, whether or not it
    exists; an owner of a closed one is led to its way back. Who lacks the second factor that the company asks for is
    led to set one up; a role that lacks `act` is 403. Sets `request.company` and `request.membership`; dates on the
    page are the company's. The view's attribute `act` says what it asks for.
    """
    if act not in ACTS:
        raise KeyError(f"{act} is no act of portal/companies/roles.py.")

    def decorator(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponse:
            membership = next((each for each in own_memberships(request) if each.company.slug == slug), None)
            if membership is None:
                if reopenable_membership(cast(User, request.user), slug):
                    return redirect("reopen_company", slug=slug)
                raise Http404
            if owes_second_factor(membership.company, membership.user):
                return second_factor_page(request, membership.company)
            if not membership.may(act):
                raise PermissionDenied(
                    _("Your role in this company does not allow this. Ask one of its owners or admins.")
                )
            request = cast(CompanyRequest, request)
            request.company, request.membership = membership.company, membership
            if request.session.get(LAST_COMPANY) != membership.company_id:
                request.session[LAST_COMPANY] = membership.company_id
            way_back.arrived(request)
            with timezone.override(membership.company.zone):
                return view(request, *args, slug=slug, **kwargs)

        guarded.act = act  # type: ignore[attr-defined]
        return guarded

    return decorator


def own_memberships(request: HttpRequest) -> list[Membership]:
    """The memberships of the person who asks, by company name; read once a request: the switcher shows them, too."""
    if not hasattr(request, "own_memberships"):
        user = cast(User, request.user)
        memberships = list(user_memberships(user))
        for membership in memberships:
            membership.user = user
        request.own_memberships = memberships  # type: ignore[attr-defined]
    return cast("list[Membership]", request.own_memberships)  # type: ignore[attr-defined]


def second_factor_page(request: HttpRequest, company: Company) -> HttpResponse:
    """The page for a person who owes `company` a second factor; from its setting up the way leads back here."""
    way_back.note(request)
    return render(request, "companies/second_factor_needed.html", {"company": company}, status=403)


def closed_company_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator for a view with the keyword `slug`: only for owners of a closed company that can still come back.

    For everybody else, and for every other company, the page does not exist.
    """

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponse:
        membership = reopenable_membership(cast(User, request.user), slug)
        if membership is None or not membership.may("company:close"):
            raise Http404
        request = cast(CompanyRequest, request)
        request.company, request.membership = membership.company, membership
        with timezone.override(membership.company.zone):
            return view(request, *args, slug=slug, **kwargs)

    guarded.act = "company:close"  # type: ignore[attr-defined]
    return guarded


def last_company(request: HttpRequest) -> Membership | None:
    """The membership in the company that the person opened last, else in their first; None without any.

    Sets `request.company` and `request.membership`, so that pages of the person show that company's sidebar.
    """
    memberships = own_memberships(request)
    opened = request.session.get(LAST_COMPANY)
    chosen = next((each for each in memberships if each.company_id == opened), memberships[0] if memberships else None)
    if chosen is not None:
        request = cast(CompanyRequest, request)
        request.company, request.membership = chosen.company, chosen
    return chosen
