"""Keys of all companies: find, list, look at, revoke one or many."""

from __future__ import annotations

import re
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from keys import tokens
from keys.errors import LifecycleError
from keys.models import Key, ServerCredential
from keys.selectors import find_by_token
from keys.services import revoke_key, revoke_keys, update_key
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.selectors import target_events
from portal.audit.sentences import line
from portal.cursors import paginate
from portal.incidents.selectors import open_incidents
from portal.incidents.services import open_incident
from portal.logs import redact
from portal.staff import selectors
from portal.staff.access import staff_actor, staff_page
from portal.staff.forms import FindForm, KeyFilter, LimitsForm, RevokeManyForm, RevokeUnderForm
from portal.staff.services import note_key_viewed
from portal.staff.views.acts import act_page, posted
from portal.staff.views.dashboard import target_page

PAGE: Final = 50
QUICK: Final = 10  # more keys than this at once need a recent sign-in and their number typed
MOST: Final = 500
SELECTION: Final = "staff_selection"
_WHOLE = re.compile(tokens.TOKEN_PATTERN)
_VISIBLE = re.compile(r"lk_(?:live|test|srv|mgt)_([0-9A-Za-z]{12})(?![0-9A-Za-z])")
_SECRET = re.compile(r"(lk_[a-z]{3,4}_[0-9A-Za-z]{12})_[0-9A-Za-z]+")


@sensitive_post_parameters("key")
@staff_page("staff:view")
def find(request: HttpRequest) -> HttpResponseBase:
    """What a pasted token, its visible part or other words are. The token travels by POST and goes no further.

    A whole token is looked up by id and digest; where it stands in a longer text, such as a log line, it is picked
    out. Anything else becomes a search of the list, after its secret part (if any) was taken out.
    """
    if request.method != "POST":
        return render(request, "staff/find.html", {"find": FindForm()})
    text = request.POST.get("key", "").strip()[:2000]
    if whole := _WHOLE.search(text):
        return _whole_token(request, whole[0])
    if visible := _VISIBLE.search(text):
        return _visible_part(request, visible[0], visible[1], cut=bool(_SECRET.search(text)))
    if not text:
        return render(request, "staff/find.html", {"find": FindForm(), "problem": "empty"})
    return redirect(f"{reverse('staff:keys')}?{urlencode({'q': redact(text)[:120]})}")


def _whole_token(request: HttpRequest, text: str) -> HttpResponseBase:
    match find_by_token(text):
        case Key() as key:
            return redirect("staff:key", key.pk)
        case ServerCredential() as credential:
            return redirect(f"{reverse('staff:server', args=[credential.server_id])}#{credential.pk}")
    try:
        identifier = tokens.parse(text).id
        problem = "other-value" if _by_id(identifier) else "unknown"
    except tokens.MalformedToken:
        identifier = text.split("_")[2]
        problem = "mistyped"
    return _not_found(request, problem, identifier)


def _visible_part(request: HttpRequest, visible: str, identifier: str, *, cut: bool) -> HttpResponseBase:
    address = _by_id(identifier)
    if address and not cut:
        return redirect(address)
    return _not_found(request, "mistyped" if cut else "unknown", identifier)


def _not_found(request: HttpRequest, problem: str, identifier: str) -> HttpResponse:
    """The page again, saying what is wrong with what was pasted, and what has the same id, without its secret."""
    context = {"find": FindForm(), "problem": problem, "same_id": _by_id(identifier), "identifier": identifier}
    return render(request, "staff/find.html", context, status=404)


def _by_id(identifier: str) -> str | None:
    if Key.objects.filter(pk=identifier).exists():
        return reverse("staff:key", args=[identifier])
    server = ServerCredential.objects.filter(pk=identifier).values_list("server_id", flat=True).first()
    return f"{reverse('staff:server', args=[server])}#{identifier}" if server else None


@staff_page("staff:view")
@require_safe
def keys(request: HttpRequest) -> HttpResponseBase:
    """The keys of all companies: search, filter, sort, select."""
    if _SECRET.search(request.GET.get("q", "")):
        messages.warning(request, _("Keys do not belong in an address. Paste it in the box here instead."))
        return redirect("staff:find")
    form = KeyFilter(request.GET, servers=selectors.server_choices())
    data: dict[str, Any] = form.cleaned_data if form.is_valid() else {}
    sort = data.get("sort") or "newest"
    found = selectors.keys(
        query=data.get("q", "").strip(),
        state=data.get("state", ""),
        server=data.get("server", ""),
        company=data.get("company", ""),
        user=data.get("user", ""),
        sort=sort,
    )
    page = paginate(found, order=selectors.KEY_SORTS[sort][0], size=PAGE, cursor=request.GET.get("cursor", ""))
    context = {
        "form": form,
        "filters": [form["state"], form["server"], form["sort"]],
        "page": page,
        "query": data.get("q", ""),
        "narrowed": [name for name in ("company", "user") if data.get(name)],
        "find": FindForm(),
    }
    return render(request, "staff/keys.html", context)


@staff_page("staff:view")
@require_safe
def key(request: HttpRequest, key_id: str) -> HttpResponse:
    """All about one key. The company's record says that staff looked."""
    found = _key_or_404(key_id)
    note_key_viewed(key=found, actor=staff_actor(request))
    of_member = Key.objects.filter(company=found.company_id, user=found.user_id).exclude(pk=found.pk)
    context = {
        "key": found,
        "newer": getattr(found, "replaced_by", None),
        "events": [line(event, target_page) for event in target_events(found.company, "key", found.pk)[:30]],
        "relatives": of_member.select_related("server").defer("digest").order_by("-created_at", "id")[:6],
    }
    return render(request, "staff/key.html", context)


@staff_page("key:revoke")
def revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    """Revoke one key, with a reason. Never asks to sign in again: it must be quick."""
    found = _key_or_404(key_id)
    if found.revoked_at:
        return redirect("staff:key", found.pk)
    form = RevokeUnderForm(posted(request), incidents=_incident_choices())
    if request.method == "POST" and form.is_valid():
        incident_id = form.cleaned_data.get("incident", "")
        revoke_key(key=found, reason=form.reason, actor=staff_actor(request), incident_id=incident_id)
        messages.success(request, _("%(key)s is revoked: it is refused from now on.") % {"key": found.name})
        return redirect("staff:key", found.pk)
    return act_page(
        request,
        form,
        heading=_("Revoke %(key)s") % {"key": found.name},
        lead=_("The key is refused from now on and for good, and so is an older value of it that is still accepted."),
        submit=_("Revoke the key"),
        tone="danger",
        back=("staff:key", found.pk, found.name),
        keys=[found],
    )


@staff_page("plan:manage")
def limits(request: HttpRequest, key_id: str) -> HttpResponse:
    """Give a key limits of its own, more or less than its company's plan, or the plan's again."""
    found = _key_or_404(key_id)
    form = LimitsForm(posted(request), initial={"per_minute": found.per_minute, "per_month": found.per_month})
    if request.method == "POST" and form.is_valid():
        try:
            update_key(key=found, actor=staff_actor(request), **form.cleaned_data)
        except LifecycleError as error:
            messages.error(request, str(error.message))
        else:
            messages.success(request, _("The key's limits count from now on."))
        return redirect("staff:key", found.pk)
    return act_page(
        request,
        form,
        heading=_("Limits of %(key)s") % {"key": found.name},
        lead=_("How often the key may be used. The company reads the change in its record."),
        submit=_("Save the limits"),
        tone="primary",
        back=("staff:key", found.pk, found.name),
    )


@staff_page("key:revoke")
@require_POST
def select(request: HttpRequest) -> HttpResponse:
    """Keep the ids that were ticked, and ask for the reason on a page of its own."""
    ids = list(dict.fromkeys(request.POST.getlist("key")))[:MOST]
    if not ids:
        messages.warning(request, _("Tick the keys to revoke first."))
        return redirect("staff:keys")
    request.session[SELECTION] = ids
    return redirect("staff:keys_revoke")


@staff_page("key:revoke")
def revoke_selected(request: HttpRequest) -> HttpResponseBase:
    """Revoke the selected keys with one reason. More than a few need a recent sign-in."""
    ids = request.session.get(SELECTION, [])
    selected = selectors.keys_in_use(ids)
    if not selected:
        messages.info(request, _("None of the selected keys is in use any more."))
        return redirect("staff:keys")
    view = recent_sign_in_required(_revoke_selected) if len(selected) > QUICK else _revoke_selected
    return view(request, selected)


def _revoke_selected(request: HttpRequest, selected: list[Key]) -> HttpResponse:
    number = len(selected)
    data = posted(request)
    incidents = _incident_choices()
    form = (
        RevokeManyForm(data, number=number, incidents=incidents, none=_("A new incident"))
        if number > QUICK
        else RevokeUnderForm(data, incidents=incidents, none=_("A new incident"))
    )
    if request.method == "POST" and form.is_valid():
        actor, incident_id = staff_actor(request), form.cleaned_data.get("incident", "")
        if number > 1 and not incident_id:
            incident_id = open_incident(title=form.reason, actor=actor, kind="revocation").pk
        done = revoke_keys(
            key_ids=[key.pk for key in selected], reason=form.reason, actor=actor, incident_id=incident_id
        )
        request.session.pop(SELECTION, None)
        text = ngettext("%(number)s key is revoked.", "%(number)s keys are revoked.", done)
        messages.success(request, text % {"number": done})
        return redirect("incidents:incident", incident_id) if incident_id else redirect("staff:keys")
    return act_page(
        request,
        form,
        heading=ngettext("Revoke %(number)s key", "Revoke %(number)s keys", number) % {"number": number},
        lead=_("They are refused from now on and for good. Each company reads the reason in its record."),
        submit=ngettext("Revoke the key", "Revoke %(number)s keys", number) % {"number": number},
        tone="danger",
        back=("staff:keys", "", _("Keys")),
        keys=selected,
    )


def _incident_choices() -> list[tuple[str, str]]:
    return [(incident.pk, f"{incident.title} ({incident.pk})") for incident in open_incidents()]


def _key_or_404(key_id: str) -> Key:
    found = selectors.key(key_id)
    if found is None:
        raise Http404
    return found
