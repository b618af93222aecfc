"""The key pages of a company. Each act goes through keys/services.py; a key of another company is a missing page."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from keys import services
from keys.errors import AddressInvalid, AlreadyRotated, LifecycleError, LifetimeInvalid, ScopeBeyondRights, ScopeUnknown
from keys.forms import OVERLAPS, REASONS, CreateKeyForm, EditKeyForm, RevokeKeyForm, RotateKeyForm
from keys.listing import listing, without_secret
from keys.models import Key
from keys.once import make_once
from keys.selectors import company_key, visible_servers
from keys.snippets import PLACEHOLDER, Connection, snippets, variable
from keys.tokens import Token
from keys.usage.selectors import key_use
from keys.words import permitted_tools
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from portal.audit.selectors import company_events
from portal.audit.sentences import Line, line
from portal.companies.access import CompanyRequest, company_page
from portal.companies.models import Company

EVENTS_SHOWN = 30
form_page = require_http_methods(["GET", "POST"])

# Which field of a form an error of the services belongs to.
FIELDS: dict[type[LifecycleError], str] = {
    AddressInvalid: "allowed_ips",
    LifetimeInvalid: "lifetime",
    ScopeUnknown: "access",
    ScopeBeyondRights: "access",
}


@require_GET
@company_page("key:view")
def key_list(request: CompanyRequest, slug: str) -> HttpResponse:
    """The keys of the company, to be searched, filtered and ordered."""
    if (query := without_secret(request.GET.get("q", ""))) is not None:
        address = request.GET.copy()
        address["q"] = query
        return redirect(f"{request.path}?{address.urlencode()}")
    return render(request, "keys/list.html", {"listing": listing(request.company, request.GET)})


@never_cache
@form_page
@company_page("key:create")
@recent_sign_in_required
def new(request: CompanyRequest, slug: str) -> HttpResponse:
    """Create a key, and show its value this once."""
    company = request.company
    if not company.is_active:
        return redirect("keys:list", slug=slug)  # the list says what has to be done first
    servers = visible_servers(company)
    initial = {"name": _suggested_name(request)}
    form = CreateKeyForm(request.POST or None, company=company, servers=servers, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = _create(request, form.cleaned_data)
        except LifecycleError as error:
            _explain(form, error)
        else:
            if isinstance(made, str):
                messages.info(
                    request, _("This key was created already. Its value was shown once; rotate it for a new one.")
                )
                return redirect("keys:detail", slug=slug, key_id=made)
            return _shown_once(request, *made, old=None)
    return render(request, "keys/new.html", {"form": form, "company": company})


@require_GET
@company_page("key:view")
def detail(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """One key: what it may do, its life, its other values, and how a client uses it."""
    key = _key_or_404(request, key_id)
    old = key.replaces if key.replaces and key.replaces.state == "rotating" else None
    return render(
        request,
        "keys/detail.html",
        {
            "key": key,
            "tools": permitted_tools(key.scopes, key.server),
            "newer": getattr(key, "replaced_by", None),
            "old_in_use": old,
            "values": _values(key),
            "events": _events(request.company, key),
            "use": key_use(key),
            "may_manage": _may_manage(request, key),
            **_connecting(key, PLACEHOLDER),
        },
    )


@form_page
@company_page("key:manage_own")
def edit(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """Change a key's name, scopes, addresses and limits. Giving it more asks for a recent sign-in."""
    key = _managed_key_or_refuse(request, key_id)
    if not key.is_usable:
        messages.info(request, _("This key is no longer in use, so there is nothing to change."))
        return redirect("keys:detail", slug=slug, key_id=key.pk)
    form = EditKeyForm(request.POST or None, key=key)
    if request.method == "POST" and form.is_valid():
        save = recent_sign_in_required(_save) if form.widens() else _save
        return save(request, form)
    return _edit_page(request, form)


def _save(request: CompanyRequest, form: EditKeyForm) -> HttpResponse:
    try:
        services.update_key(key=form.key, actor=Actor.user(request.user, request), **form.changes())
    except LifecycleError as error:
        _explain(form, error)
        return _edit_page(request, form)
    messages.success(request, _("The key was changed. Its value stays the same."))
    return redirect("keys:detail", slug=request.company.slug, key_id=form.key.pk)


def _edit_page(request: CompanyRequest, form: EditKeyForm) -> HttpResponse:
    return render(request, "keys/edit.html", {"form": form, "key": form.key})


@never_cache
@form_page
@company_page("key:manage_own")
@recent_sign_in_required
def rotate(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """Give a key a new value, shown this once; the old one is accepted for a while."""
    key = _managed_key_or_refuse(request, key_id)
    form = RotateKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made, token = services.rotate_key(
                key=key, overlap=form.cleaned_data["overlap"], actor=Actor.user(request.user, request)
            )
        except AlreadyRotated:  # a reload, or somebody else was first: its newer value is the one to look at
            messages.info(request, _("This key was rotated already. Its new value was shown once."))
            return redirect("keys:detail", slug=slug, key_id=Key.objects.get(replaces=key).pk)
        except LifecycleError as error:
            form.add_error(None, str(error))
        else:
            key.refresh_from_db()
            return _shown_once(request, made, token, old=key)
    return render(request, "keys/rotate.html", {"form": form, "key": key, "overlaps": OVERLAPS})


@require_POST
@company_page("key:manage_own")
def end_overlap(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """Stop accepting the old value of a rotated key now. Needs no recent sign-in: it only takes away."""
    key = _managed_key_or_refuse(request, key_id)
    try:
        services.end_overlap(key=key, actor=Actor.user(request.user, request))
    except LifecycleError as error:
        messages.info(request, str(error))
    else:
        messages.success(request, _("The old value is refused from now on."))
    newer = getattr(key, "replaced_by", None) or key
    return redirect("keys:detail", slug=slug, key_id=newer.pk)


@form_page
@company_page("key:manage_own")
def revoke(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """Refuse a key for good. Never asks for a new sign-in: after a leak every second counts."""
    key = _managed_key_or_refuse(request, key_id)
    form = RevokeKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.revoke_key(key=key, reason=form.words(), actor=Actor.user(request.user, request))
        messages.success(request, _("The key was revoked. Every MCP server refuses it from now on."))
        return redirect("keys:detail", slug=slug, key_id=key.pk)
    return render(request, "keys/revoke.html", {"form": form, "key": key, "reasons": REASONS})


def _key_or_404(request: CompanyRequest, key_id: str) -> Key:
    key = company_key(request.company, key_id)
    if key is None:
        raise Http404
    return key


def _may_manage(request: CompanyRequest, key: Key) -> bool:
    member = request.membership
    return key.may_be_managed_by(request.user, member.may("key:manage_any"), member.may("key:manage_own"))


def _managed_key_or_refuse(request: CompanyRequest, key_id: str) -> Key:
    key = _key_or_404(request, key_id)
    if not _may_manage(request, key):
        raise PermissionDenied(_("This key belongs to another member. Ask an owner or admin of the company."))
    return key


def _suggested_name(request: CompanyRequest) -> str:
    first = (request.user.name or request.user.email).split("@")[0].split()[0]
    name, taken = _("%(name)s's AI assistant") % {"name": first}, request.company.keys.filter(user=request.user).count()
    return f"{name} {taken + 1}" if taken else name


def _create(request: CompanyRequest, data: dict[str, Any]) -> tuple[Key, Token] | str:
    """The new key and its token, or the id of the key that this very form made before."""
    return make_once(
        request,
        data["once"],
        lambda: services.create_key(
            company=request.company,
            server=data["server"],
            user=request.user,
            name=data["name"],
            scopes=data["scopes"],
            expires_at=data["expires_at"],
            allowed_ips=data["allowed_ips"],
            per_minute=data["per_minute"],
            per_month=data["per_month"],
            actor=Actor.user(request.user, request),
        ),
    )


def _explain(form: Any, error: LifecycleError) -> None:
    field = FIELDS.get(type(error))
    form.add_error(field if field in form.fields else None, str(error))


def _shown_once(request: CompanyRequest, key: Key, token: Token, *, old: Key | None) -> HttpResponse:
    """The one page that ever shows a key's value.

    This is an exception to our pattern of redirecting POST to GET: the value would have to be kept somewhere
    (the session, a cache, the address) to be shown after a redirect. It exists in this response only, which
    `never_cache` keeps out of every cache (`no-store`).
    """
    context = {"key": key, "token": token.text, "old": old, **_connecting(key, token.text)}
    return render(request, "keys/created.html", context)


def _connecting(key: Key, value: str) -> dict[str, Any]:
    connection = Connection(key.server.name, key.server.url, value)
    return {"snippets": snippets(connection), "variable": variable(connection)}


def _values(key: Key) -> list[Key]:
    """The key and the values before and after it, newest first."""
    found: list[Any] = [key]
    newer, older = getattr(key, "replaced_by", None), key.replaces
    while newer is not None:
        found.insert(0, newer)
        newer = getattr(newer, "replaced_by", None)
    while older is not None and len(found) < 50:
        found.append(older)
        older = older.replaces
    return found


def _events(company: Company, key: Key) -> list[Line]:
    """What happened to the key; a rotation is recorded with the old value, so the one that made it is here too."""
    about = Q(target_id=key.pk)
    if key.replaces_id:
        about |= Q(target_id=key.replaces_id, action="key:rotated")
    events: list[AuditEvent] = list(company_events(company).filter(about, target_kind="key")[:EVENTS_SHOWN])
    return [line(event) for event in events]
