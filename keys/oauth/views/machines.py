"""Making a machine client: a program of the company that gets its tokens itself. Owners and admins only."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from keys.errors import LifecycleError, ScopeBeyondRights, ScopeUnknown
from keys.forms import CreateKeyForm
from keys.oauth import assertions, machines
from keys.oauth.models import Connection, Machine
from keys.once import make_once
from keys.selectors import visible_servers
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.actors import Actor
from portal.companies.access import CompanyRequest, company_page

FIELDS: dict[type[LifecycleError], str] = {ScopeUnknown: "access", ScopeBeyondRights: "access"}
KEY_PROBLEMS = {
    "form": _l("This is no public key. Paste it as PEM (BEGIN PUBLIC KEY) or as JSON (JWK)."),
    "private": _l("This is the private half. Keep it on the machine, and consider it exposed; paste the public one."),
    "kind": _l("Use an EC key on P-256, an Ed25519 key, or RSA of 2048 bits or more."),
}


class MachineForm(CreateKeyForm):
    """As for a key, and how the program proves who it is."""

    labels = None  # type: ignore[assignment]
    allowed_ips = None  # type: ignore[assignment]
    per_minute = None  # type: ignore[assignment]
    per_month = None  # type: ignore[assignment]
    method = forms.ChoiceField(
        label=_l("How it proves who it is"),
        choices=Machine.Method.choices,
        widget=forms.RadioSelect,
        initial=Machine.Method.SECRET,
    )
    public_key = forms.CharField(
        label=_l("Public key"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "placeholder": "-----BEGIN PUBLIC KEY-----"}),
        help_text=_l("PEM or JWK: EC on P-256, Ed25519, or RSA. Only for a program with a private key of its own."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = _("What it is and where it runs, such as Nightly report on build-3.")

    def clean(self) -> dict[str, Any]:
        """`jwk` from the public key that was pasted; None for a secret."""
        data = super().clean()
        data["jwk"] = None
        if data.get("method") == Machine.Method.KEY:
            try:
                data["jwk"] = assertions.read_key(data.get("public_key", ""))
            except assertions.UnusableKey as error:
                self.add_error("public_key", KEY_PROBLEMS[str(error)])
        return data


@never_cache
@require_http_methods(["GET", "POST"])
@company_page("key:manage_any")
@recent_sign_in_required
def new(request: CompanyRequest, slug: str) -> HttpResponse:
    """Make a machine client, and show its secret this once: the answer to the POST itself, as for keys."""
    if not request.company.is_active:
        return redirect("connections:list", slug=slug)  # the list says what has to be done first
    form = MachineForm(request.POST or None, company=request.company, servers=visible_servers(request.company))
    if request.method == "POST" and form.is_valid():
        try:
            made = make_once(request, form.cleaned_data["once"], lambda: cast(Any, _create(request, form.cleaned_data)))
        except LifecycleError as error:
            field = FIELDS.get(type(error))
            form.add_error(field, str(error))
        else:
            if isinstance(made, str):
                messages.info(request, _("This client was made already. Its secret was shown once."))
                return redirect("connections:detail", slug=slug, connection_id=made)
            connection, secret = made
            return render(request, "connections/machine_created.html", _shown(connection, secret.text))
    return render(request, "connections/machine_new.html", {"form": form, "company": request.company})


def _create(request: CompanyRequest, data: dict[str, Any]) -> tuple[Connection, machines.Secret]:
    return machines.create(
        company=request.company,
        server=data["server"],
        user=request.user,
        name=data["name"],
        scopes=data["scopes"],
        expires_at=data["expires_at"],
        public_key=data["jwk"],
        actor=Actor.user(request.user, request),
    )


def _shown(connection: Connection, secret: str) -> dict[str, Any]:
    assert connection.client is not None
    client_id, token_url = connection.client.client_id, settings.PORTAL_URL + reverse("oauth:token")
    curl = (
        f'curl -s {token_url} -u "{client_id}:$CLIENT_SECRET" \\\n'
        f"  -d grant_type=client_credentials -d resource={connection.server.url}"
    )
    return {
        "connection": connection, "client_id": client_id, "secret": secret, "curl": curl, "token_url": token_url,
        "assertion_type": assertions.KIND,
    }  # fmt: skip
