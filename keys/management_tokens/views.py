"""The pages of a company's management tokens: list, create, revoke. Owners and admins only."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from keys.errors import LifecycleError, LifetimeInvalid, ScopeBeyondRights, ScopeUnknown
from keys.forms import RevokeKeyForm
from keys.management_tokens.forms import TokenForm
from keys.management_tokens.services import create_token, revoke_token
from keys.models import ManagementToken
from keys.once import make_once
from keys.selectors import company_token, company_tokens
from keys.tokens import Token
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.actors import Actor
from portal.companies.access import CompanyRequest, company_page

PLACEHOLDER = "lk_mgt_…"
FIELDS: dict[type[LifecycleError], str] = {
    LifetimeInvalid: "lifetime",
    ScopeUnknown: "scopes",
    ScopeBeyondRights: "scopes",
}


@require_safe
@company_page("token:manage")
def token_list(request: CompanyRequest, slug: str) -> HttpResponse:
    """The company's management tokens, and how scripts use one."""
    context = {"tokens": company_tokens(request.company)[:200], **_using(PLACEHOLDER)}
    return render(request, "tokens/list.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
@company_page("token:manage")
@recent_sign_in_required
def token_new(request: CompanyRequest, slug: str) -> HttpResponse:
    """Create a management token, and show its value this once: the answer to the POST itself, as for keys."""
    if not request.company.is_active:
        return redirect("tokens:list", slug=slug)  # the list says what has to be done first
    form = TokenForm(request.POST or None, membership=request.membership)
    if request.method == "POST" and form.is_valid():
        try:
            made = make_once(request, form.cleaned_data["once"], lambda: _create(request, form))
        except LifecycleError as error:
            form.add_error(FIELDS.get(type(error)), str(error))
        else:
            if isinstance(made, str):
                messages.info(
                    request,
                    _("This token was created already. Its value was shown once; revoke it and create another."),
                )
                return redirect("tokens:list", slug=slug)
            token, value = made
            return render(request, "tokens/created.html", {"token": token, "value": value.text, **_using(value.text)})
    return render(request, "tokens/new.html", {"form": form})


@require_http_methods(["GET", "POST"])
@company_page("token:manage")
def token_revoke(request: CompanyRequest, slug: str, token_id: str) -> HttpResponse:
    """Refuse a management token for good. Never asks for a new sign-in: after a leak every second counts."""
    token = company_token(request.company, token_id)
    if token is None:
        raise Http404
    form = RevokeKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        revoke_token(token=token, reason=form.words(), actor=Actor.user(request.user, request))
        messages.success(request, _("The token was revoked. It is refused from now on."))
        return redirect("tokens:list", slug=slug)
    return render(request, "tokens/revoke.html", {"form": form, "token": token})


def _create(request: CompanyRequest, form: TokenForm) -> tuple[ManagementToken, Token]:
    return create_token(
        company=request.company,
        user=request.user,
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        expires_at=form.cleaned_data["expires_at"],
        actor=Actor.user(request.user, request),
    )


def _using(value: str) -> dict[str, str]:
    """How a shell uses the token `value`: by the command line and by the API alone."""
    url = settings.PORTAL_URL
    return {
        "command_line": (
            f"pip install latchkey\n\nexport LATCHKEY_URL={url}\nexport LATCHKEY_TOKEN={value}\n\nlatchkey keys list"
        ),
        "curl": f'curl -s {url}{reverse("manage-keys")} -H "Authorization: Bearer $LATCHKEY_TOKEN"',
    }
