"""Server credentials: made, rotated, revoked. A value is shown once, by the page that made it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from keys.errors import LifecycleError
from keys.models import McpServer, ServerCredential
from keys.servers.forms import CredentialForm, RotateForm
from keys.servers.services import create_credential, revoke_credential, rotate_credential
from keys.tokens import Token
from portal.accounts.models import User
from portal.accounts.reauthentication import recent_sign_in_required
from portal.staff.access import staff_actor, staff_page
from portal.staff.forms import RevokeForm
from portal.staff.views.acts import act_page, posted


@staff_page("credential:manage")
@recent_sign_in_required
def new(request: HttpRequest, server_id: str) -> HttpResponse:
    """Make a credential with which the server calls the verify API."""
    server = get_object_or_404(McpServer, pk=server_id)
    form = CredentialForm(posted(request))
    if request.method == "POST" and form.is_valid():
        assert isinstance(request.user, User)
        try:
            credential, token = create_credential(
                server=server, name=form.cleaned_data["name"], actor=staff_actor(request), created_by=request.user
            )
        except LifecycleError as error:
            form.add_error(None, str(error.message))
        else:
            return _shown_once(request, credential, token)
    return act_page(
        request,
        form,
        heading=_("New credential for %(server)s") % {"server": server},
        lead=_("With it the MCP server asks Latchkey whether a key is good, for its own keys only."),
        submit=_("Make the credential"),
        here=_("New credential"),
        tone="primary",
        back=("staff:server", server.pk, str(server)),
    )


@staff_page("credential:manage")
@recent_sign_in_required
def rotate(request: HttpRequest, server_id: str, credential_id: str) -> HttpResponse:
    """Give a credential a new value; the old one is accepted for a while."""
    credential = _credential(server_id, credential_id)
    form = RotateForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            new_value, token = rotate_credential(
                credential=credential, overlap=form.overlap_time, actor=staff_actor(request)
            )
        except LifecycleError as error:
            form.add_error(None, str(error.message))
        else:
            return _shown_once(request, new_value, token)
    return act_page(
        request,
        form,
        heading=_("Rotate %(credential)s") % {"credential": credential.name},
        lead=_("The MCP server gets a new value. The old one is accepted until the overlap ends."),
        submit=_("Make the new value"),
        tone="primary",
        back=("staff:server", credential.server_id, str(credential.server)),
    )


@staff_page("key:revoke")
def revoke(request: HttpRequest, server_id: str, credential_id: str) -> HttpResponse:
    """Refuse a credential from now on, and with it the calls of its server. Never asks to sign in again."""
    credential = _credential(server_id, credential_id)
    if credential.revoked_at:
        return redirect("staff:server", server_id)
    form = RevokeForm(posted(request))
    if request.method == "POST" and form.is_valid():
        revoke_credential(credential=credential, reason=form.reason, actor=staff_actor(request))
        messages.success(request, _("%(credential)s is revoked.") % {"credential": credential.name})
        return redirect("staff:server", server_id)
    return act_page(
        request,
        form,
        heading=_("Revoke %(credential)s") % {"credential": credential.name},
        lead=_("Calls with it are refused from now on. A server without another credential can verify no key."),
        submit=_("Revoke the credential"),
        tone="danger",
        back=("staff:server", server_id, str(credential.server)),
    )


def _shown_once(request: HttpRequest, credential: ServerCredential, token: Token) -> HttpResponse:
    """The page with the value in clear.

    It is rendered by the POST itself, against the habit of redirecting: a redirect would have to keep the value
    somewhere. staff_page marks it no-store.
    """
    context = {"credential": credential, "server": credential.server, "token": token.text}
    return render(request, "staff/credential_made.html", context)


def _credential(server_id: str, credential_id: str) -> ServerCredential:
    found = ServerCredential.objects.select_related("server__company")
    return get_object_or_404(found, server=server_id, pk=credential_id)
