"""The endpoints that a person's browser and an AI client meet: consent, token, revocation, introspection."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from oauth2_provider.http import OAuth2ResponseRedirect
from oauthlib.oauth2 import OAuth2Error

from keys.errors import LifecycleError
from keys.oauth import connections, redirects
from keys.oauth.asking import AnswerNow, Asked, CannotAnswer, give_code, read
from keys.oauth.backend import core
from keys.oauth.consent import ConsentForm
from keys.oauth.cors import open_to_browsers
from keys.oauth.models import Connection
from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.companies.models import CompanyState, Membership
from portal.companies.roles import may
from portal.companies.second_factor import owes_second_factor
from portal.companies.selectors import user_memberships


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def authorize(request: HttpRequest) -> HttpResponseBase:
    """Ask the signed-in person whether the client may connect, and send the answer to the client.

    The request is read from the address, at the POST too: a form that was tampered with changes nothing but the
    person's own choices. The answer is checked against CSRF and never shown in a frame.
    """
    try:
        asked = read(request)
    except CannotAnswer as problem:
        return render(request, "oauth/cannot.html", {"message": problem.message}, status=400)
    except AnswerNow as answer:
        return _to_client(answer.url)
    prompts = set(request.GET.get("prompt", "").split())
    if not request.user.is_authenticated:
        if "none" in prompts:
            return _to_client(asked.url(error="login_required"))
        return redirect_to_login(
            request.get_full_path(), resolve_url("account_signup") if "create" in prompts else None
        )
    if "none" in prompts:
        # Any program on the machine could have sent it and catch the answer: the person is always asked.
        return _to_client(asked.url(error="consent_required"))
    assert isinstance(request.user, User)
    memberships = [
        membership
        for membership in user_memberships(request.user)
        if asked.server.company_id in {None, membership.company_id}
    ]
    companies = [
        one.company
        for one in memberships
        if one.company.is_active and one.may("key:create") and not owes_second_factor(one.company, request.user)
    ]
    if not companies:
        return _no_company(request, asked, memberships)
    if "refuse" in request.POST:
        return _to_client(asked.url(error="access_denied", error_description="The person refused."))
    before = _before(request.user, asked)
    form = ConsentForm(request.POST or None, asked=asked, companies=companies, before=before)
    if request.method == "POST" and form.is_valid():
        try:
            return _to_client(_approve(request, asked, form))
        except LifecycleError as error:
            form.add_error(None, str(error))
        except OAuth2Error as error:
            return _to_client(asked.url(error=error.error))
    response = render(request, "oauth/consent.html", {"asked": asked, "form": form, "before": before})
    # The browser follows the redirect that answers the form, so the policy has to name where it goes.
    response._csp_update = {"form-action": [redirects.form_action(asked.redirect_uri)]}  # type: ignore[attr-defined]
    return response


def _approve(request: HttpRequest, asked: Asked, form: ConsentForm) -> str:
    assert isinstance(request.user, User)
    connection = connections.approve(
        company=form.chosen_company,
        server=asked.server,
        user=request.user,
        client=asked.client,
        client_name=asked.client_name,
        client_host=asked.client_host,
        scopes=form.granted,
        expires_at=form.expires_at,
        actor=Actor.user(request.user, request),
    )
    return give_code(request, asked, connection, connection.scopes)


def _before(user: User, asked: Asked) -> Connection | None:
    found = Connection.objects.usable().filter(user=user, client=asked.client, server=asked.server)
    return found.select_related("company").order_by("-approved_at").first()


def _no_company(request: HttpRequest, asked: Asked, memberships: list[Membership]) -> HttpResponse:
    """Send the person to the card that makes their company active and from there back here, or say what is missing."""
    for membership in memberships:
        if membership.company.state == CompanyState.PENDING and may(membership.role, "card:confirm"):
            card = reverse("card", kwargs={"slug": membership.company.slug})
            return redirect(f"{card}?{urlencode({'next': request.get_full_path()})}")
        if membership.company.is_active and owes_second_factor(membership.company, membership.user):
            needed = {"company": membership.company}
            return render(request, "companies/second_factor_needed.html", needed, status=403)
    context = {"asked": asked, "memberships": memberships, "refused": asked.url(error="access_denied")}
    return render(request, "oauth/no_company.html", context, status=403)


def _to_client(url: str) -> HttpResponse:
    response = OAuth2ResponseRedirect(url, list(redirects.SCHEMES))
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@csrf_exempt
@open_to_browsers
@sensitive_post_parameters()
@require_http_methods(["POST"])
def token(request: HttpRequest) -> HttpResponse:
    """Tokens for an authorization code or a refresh token (RFC 6749, sections 4.1.3 and 6)."""
    if request.POST.get("grant_type") not in {"authorization_code", "refresh_token"}:
        return _error("unsupported_grant_type")
    if any(len(values) > 1 for name, values in request.POST.lists() if name != "resource"):
        return _error("invalid_request", "A parameter was sent twice.")
    _url, headers, body, status = core().create_token_response(request)
    return _machine_answer(headers, body, status)


@csrf_exempt
@open_to_browsers
@sensitive_post_parameters()
@require_http_methods(["POST"])
def revoke(request: HttpRequest) -> HttpResponse:
    """End a token (RFC 7009): 200 whether or not there is such a token."""
    _url, headers, body, status = core().create_revocation_response(request)
    return _machine_answer(headers, body, status)


def _machine_answer(headers: Any, body: Any, status: int) -> HttpResponse:
    response = HttpResponse(body or "", status=status, content_type="application/json")
    for name, value in (headers or {}).items():
        response.headers[name] = value
    response.headers["Cache-Control"] = "no-store"
    return response


def _error(error: str, description: str = "") -> JsonResponse:
    content = {"error": error} | ({"error_description": description} if description else {})
    return JsonResponse(content, status=400, headers={"Cache-Control": "no-store"})
