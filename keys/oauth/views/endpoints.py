"""The endpoints that a person's browser and an AI client meet: consent by redirect, token, revocation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render, resolve_url
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from oauth2_provider.http import OAuth2ResponseRedirect
from oauthlib.oauth2 import OAuth2Error

from keys.oauth import connections, redirects
from keys.oauth.asking import AnswerNow, Asked, CannotAnswer, give_code, read
from keys.oauth.backend import core
from keys.oauth.cors import open_to_browsers
from keys.oauth.deciding import decide
from keys.oauth.validator import GRANT_TYPES


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
    response = decide(request, asked, _ByRedirect(request, asked), way_out=asked.url(error="access_denied"))
    if response.status_code == 200:
        # The browser follows the redirect that answers the form, so the policy has to name where it goes.
        response._csp_update = {"form-action": [redirects.form_action(asked.redirect_uri)]}  # type: ignore[attr-defined]
    return response


@dataclass(frozen=True, slots=True)
class _ByRedirect:
    """The client hears of the decision through the person's browser."""

    request: HttpRequest
    asked: Asked

    def approved(self, approval: dict[str, Any]) -> HttpResponse:
        connection = connections.approve(**approval)
        return _to_client(give_code(self.request, self.asked, connection, connection.scopes))

    def refused(self) -> HttpResponse:
        return _to_client(self.asked.url(error="access_denied", error_description="The person refused."))

    def failed(self, error: OAuth2Error) -> HttpResponse:
        return _to_client(self.asked.url(error=error.error))


def _to_client(url: str) -> HttpResponse:
    response = OAuth2ResponseRedirect(url, list(redirects.SCHEMES))
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@csrf_exempt
@open_to_browsers
@sensitive_post_parameters()
@require_http_methods(["POST"])
def token(request: HttpRequest) -> HttpResponse:
    """Tokens for an authorization code, a refresh token, a device code, or a machine's own credentials."""
    if request.POST.get("grant_type") not in GRANT_TYPES:
        return error_answer("unsupported_grant_type")
    if any(len(values) > 1 for name, values in request.POST.lists() if name != "resource"):
        return error_answer("invalid_request", "A parameter was sent twice.")
    _url, headers, body, status = core().create_token_response(request)
    return machine_answer(headers, body, status)


@csrf_exempt
@open_to_browsers
@sensitive_post_parameters()
@require_http_methods(["POST"])
def revoke(request: HttpRequest) -> HttpResponse:
    """End a token (RFC 7009): 200 whether or not there is such a token."""
    _url, headers, body, status = core().create_revocation_response(request)
    return machine_answer(headers, body, status)


def machine_answer(headers: Any, body: Any, status: int) -> HttpResponse:
    """What oauthlib answers, as a response that no cache keeps."""
    response = HttpResponse(body or "", status=status, content_type="application/json")
    for name, value in (headers or {}).items():
        response.headers[name] = value
    response.headers["Cache-Control"] = "no-store"
    return response


def error_answer(error: str, description: str = "") -> JsonResponse:
    """An error of RFC 6749, section 5.2."""
    content = {"error": error} | ({"error_description": description} if description else {})
    return JsonResponse(content, status=400, headers={"Cache-Control": "no-store"})
