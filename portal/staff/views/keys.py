"""Keys of all companies: list, look at, revoke one or many."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from keys.errors import LifecycleError
from keys.models import Key
from keys.services import revoke_key, revoke_keys, update_key
from keys.usage.selectors import key_use
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.selectors import target_events
from portal.audit.sentences import line
from portal.companies.roles import Role
from portal.cursors import paginate
from portal.incidents.selectors import open_incidents
from portal.incidents.services import open_incident
from portal.staff import selectors
from portal.staff.access import staff_actor, staff_page
from portal.staff.finding import has_secret
from portal.staff.forms import FindForm, KeyFilter, LimitsForm, RevokeManyForm, RevokeUnderForm
from portal.staff.services import note_key_viewed
from portal.staff.views.acts import act_page, posted
from portal.staff.views.dashboard import target_page

PAGE: Final = 50
QUICK: Final = 10  # more keys than this at once need a recent sign-in and their number typed
MOST: Final = 500
SELECTION: Final = "staff_selection"


@staff_page("staff:view")
@require_safe
def keys(request: HttpRequest) -> HttpResponseBase:
    """The keys of all companies: search, filter, sort, select."""
    if has_secret(request.GET.get("q", "")):
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
    of_server = Key.objects.filter(company=found.company_id, server=found.server_id)
    of_server = of_server.exclude(user=found.user_id)
    context = {
        "key": found,
        "newer": getattr(found, "replaced_by", None),
        "events": [line(event, target_page) for event in target_events(found.company, "key", found.pk)[:30]],
        "relatives": of_member.select_related("server").defer("digest").order_by("-created_at", "id")[:6],
        "neighbours": of_server.select_related("user").defer("digest").order_by("-created_at", "id")[:6],
        "values": selectors.values_of(found),
        "owners": found.company.memberships.filter(role=Role.OWNER).select_related("user").order_by("pk")[:5],
        "use": key_use(found),
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
        here=_("Limits"),
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
