"""The device grant's endpoint, and the pages on which a person types the code and decides (RFC 8628)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from oauth2_provider.models import get_application_model
from oauthlib.oauth2 import DeviceAuthorizationEndpoint, OAuth2Error

from keys import windows
from keys.oauth import devices, resources
from keys.oauth.backend import Backend, code_digest
from keys.oauth.cors import open_to_browsers
from keys.oauth.deciding import decide
from keys.oauth.models import DeviceRequest
from keys.oauth.validator import DEVICE_CODE, Validator, grants_of
from keys.oauth.views.endpoints import error_answer, machine_answer
from keys.oauth.wanted import NoSuchTool, Wanted, scopes_for
from portal.accounts.models import User
from portal.addresses import client_address

MOST_AN_HOUR: Final = 60
CHOSEN: Final = "device_request"  # in the session: the request whose code its person typed


@dataclass(frozen=True, slots=True)
class Shown(Wanted):
    """What a client asks for by a code. Anybody can ask in a public client's name: no host is proven here."""

    user_code: str

    @property
    def client_host(self) -> str:
        """None: the answer does not go to an address of the client's, which is what proves it elsewhere."""
        return ""


class CodeForm(forms.Form):
    """The code that the client shows."""

    user_code = forms.CharField(
        label=_l("Code"),
        max_length=20,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false",
                   "class": "input-code", "placeholder": "XXXX-XXXX"}
        ),
        help_text=_l("As your AI client shows it, with or without the dash."),
        error_messages={"required": _l("Type the code that your AI client shows.")},
    )  # fmt: skip


@csrf_exempt
@open_to_browsers
@sensitive_post_parameters()
@require_http_methods(["POST"])
def authorization(request: HttpRequest) -> HttpResponse:
    """`/oauth/device_authorization`: a device code for the client, and a user code for its person."""
    if wait := windows.wait("oauth-devices", client_address(request) or "", MOST_AN_HOUR, 3600):
        answer = error_answer("slow_down", "Too many requests from this address.")
        answer.status_code, answer.headers["Retry-After"] = 429, str(wait)
        return answer
    headers, body, status = _endpoint().create_device_authorization_response(request)
    if status != 200:
        return machine_answer(headers, body, status)
    client = get_application_model().objects.get(client_id=request.POST["client_id"])
    if DEVICE_CODE not in grants_of(client):
        return error_answer("unauthorized_client")
    server = resources.find(request.POST.getlist("resource"))
    if server is None:
        return error_answer("invalid_target", "The resource is not an MCP server of this portal.")
    try:
        scopes = scopes_for(body.pop("scope", "").split(), server)
    except NoSuchTool as error:
        return error_answer("invalid_scope", str(error))
    user_code, digest = body["user_code"].replace("-", ""), code_digest(body["device_code"])
    devices.begin(client=client, server=server, scopes=scopes, user_code=user_code, code_digest=digest)
    return machine_answer({}, json.dumps(body), 200)


def _endpoint() -> Backend:
    page = settings.PORTAL_URL + reverse("oauth:device")
    return Backend(
        DeviceAuthorizationEndpoint(
            Validator(),
            verification_uri=page,
            verification_uri_complete=page + "?user_code={user_code}",
            expires_in=int(devices.LIVES.total_seconds()),
            interval=devices.INTERVAL,
            user_code_generator=_shown_code,
        )
    )


def _shown_code() -> str:
    code = devices.new_user_code()
    return f"{code[:4]}-{code[4:]}"


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def device(request: HttpRequest) -> HttpResponse:
    """`/oauth/device`: the person types the code. One that came with the address is only filled in."""
    assert isinstance(request.user, User)
    form = CodeForm(request.POST or None, initial={"user_code": request.GET.get("user_code", "")[:20]})
    if request.method == "POST" and form.is_valid():
        typed, address = form.cleaned_data["user_code"], client_address(request) or ""
        try:
            found = devices.find(typed=typed, user=request.user, address=address)
        except devices.TooManyMisses as error:
            minutes = error.seconds // 60 + 1
            form.add_error(None, ngettext(
                "Too many wrong codes. Try again in %(count)d minute.",
                "Too many wrong codes. Try again in %(count)d minutes.", minutes) % {"count": minutes})  # fmt: skip
        else:
            if found is not None:
                request.session[CHOSEN] = found.pk
                return redirect("oauth:device_consent")
            form.add_error("user_code", _("No AI client shows this code now. Look again, or start it anew."))
    return render(request, "oauth/device.html", {"form": form, "filled": bool(request.GET.get("user_code"))})


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def consent(request: HttpRequest) -> HttpResponse:
    """`/oauth/device/consent`: the same choice as for a client that came by redirect."""
    waiting = DeviceRequest.objects.filter(pk=request.session.get(CHOSEN, 0)).select_related("client", "server").first()
    if waiting is None or not waiting.is_waiting or waiting.server.archived_at is not None:
        return _over(request)
    shown = Shown(waiting.client, waiting.server, waiting.scopes, str(waiting))
    try:
        return decide(request, shown, _ByCode(request, waiting))
    except devices.NoLongerWaiting:
        return _over(request)


def _over(request: HttpRequest) -> HttpResponse:
    messages.info(request, _("That code is decided or too old. Start your AI client anew for another."))
    return redirect("oauth:device")


@dataclass(frozen=True, slots=True)
class _ByCode:
    """The client asks for the decision by itself."""

    request: HttpRequest
    waiting: DeviceRequest

    def approved(self, approval: dict[str, Any]) -> HttpResponse:
        connection = devices.approve(waiting=self.waiting, **approval)
        self.request.session.pop(CHOSEN, None)
        return render(self.request, "oauth/device_done.html", {"connection": connection})

    def refused(self) -> HttpResponse:
        devices.refuse(waiting=self.waiting)
        self.request.session.pop(CHOSEN, None)
        return render(self.request, "oauth/device_done.html", {"connection": None})

    def failed(self, error: OAuth2Error) -> HttpResponse:
        return JsonResponse({"error": error.error}, status=400)
