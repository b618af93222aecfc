"""The consent page, whichever way the client asked: the person chooses company, tools and time, or refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from oauthlib.oauth2 import OAuth2Error

from keys.errors import LifecycleError
from keys.oauth import resources
from keys.oauth.consent import ConsentForm
from keys.oauth.models import Connection
from keys.oauth.wanted import Wanted
from portal.accounts import way_back
from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.companies.access import second_factor_page
from portal.companies.models import CompanyState, Membership
from portal.companies.roles import may
from portal.companies.second_factor import owes_second_factor
from portal.companies.selectors import user_memberships


class Way(Protocol):
    """How the client hears of the decision."""

    def approved(self, approval: dict[str, Any]) -> HttpResponse:
        """Carry out `approval` (arguments of `connections.approve`). Raises LifecycleError, OAuth2Error."""

    def refused(self) -> HttpResponse:
        """The person said no."""

    def failed(self, error: OAuth2Error) -> HttpResponse:
        """It could not be carried out."""


def decide(request: HttpRequest, wanted: Wanted, way: Way, *, way_out: str = "") -> HttpResponse:
    """Ask the signed-in person, or do what they chose. `way_out`: where the page without a company leads."""
    assert isinstance(request.user, User)
    wanted = replace(wanted, server=resources.for_person(wanted.server, request.user))
    memberships = [
        membership
        for membership in user_memberships(request.user)
        if wanted.server.company_id in {None, membership.company_id}
    ]
    able = [one.company for one in memberships if one.company.is_active and one.may("key:create")]
    companies = [company for company in able if not owes_second_factor(company, request.user)]
    if "refuse" in request.POST:
        return way.refused()
    if able and not companies:
        return second_factor_page(request, able[0])
    if not companies:
        return _no_company(request, wanted, memberships, way_out)
    way_back.arrived(request)
    before = _before(request.user, wanted)
    form = ConsentForm(request.POST or None, asked=wanted, companies=companies, before=before)
    if request.method == "POST" and form.is_valid():
        try:
            return way.approved(_approval(request, wanted, form))
        except LifecycleError as error:
            form.add_error(None, str(error))
        except OAuth2Error as error:
            return way.failed(error)
    return render(request, "oauth/consent.html", {"asked": wanted, "form": form, "before": before})


def _approval(request: HttpRequest, wanted: Wanted, form: ConsentForm) -> dict[str, Any]:
    assert isinstance(request.user, User)
    return {
        "company": form.chosen_company,
        "server": wanted.server,
        "user": request.user,
        "client": wanted.client,
        "client_name": wanted.client_name,
        "client_host": wanted.client_host,
        "scopes": form.granted,
        "expires_at": form.expires_at,
        "actor": Actor.user(request.user, request),
    }


def _before(user: User, wanted: Wanted) -> Connection | None:
    found = Connection.objects.usable().filter(user=user, client=wanted.client, server=wanted.server)
    return found.select_related("company").order_by("-approved_at").first()


def _no_company(request: HttpRequest, wanted: Wanted, memberships: list[Membership], way_out: str) -> HttpResponse:
    """Send the person to the card that makes their company active and from there back here, or say what is missing."""
    for membership in memberships:
        if membership.company.state == CompanyState.PENDING and may(membership.role, "card:confirm"):
            card = reverse("card", kwargs={"slug": membership.company.slug})
            return redirect(f"{card}?{urlencode({'next': request.get_full_path()})}")
    context = {"asked": wanted, "memberships": memberships, "way_out": way_out}
    return render(request, "oauth/no_company.html", context, status=403)
