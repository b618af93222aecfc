"""The staff's pages of incidents."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from portal.audit.sentences import line
from portal.cursors import paginate
from portal.incidents import reports, selectors, services
from portal.incidents.errors import IncidentError
from portal.incidents.forms import IncidentFilter, NoteForm, OpenForm
from portal.incidents.models import Incident
from portal.incidents.notices import ask_for_notices
from portal.staff.access import staff_actor, staff_page
from portal.staff.views.acts import act_page, posted
from portal.staff.views.dashboard import target_page

PAGE: Final = 50


@staff_page("staff:view")
@require_safe
def incidents(request: HttpRequest) -> HttpResponse:
    """Every incident: search, filter by state."""
    form = IncidentFilter(request.GET)
    data = form.cleaned_data if form.is_valid() else {}
    found = selectors.incidents(query=data.get("q", "").strip(), state=data.get("state", ""))
    page = paginate(found, order=("-opened_at", "id"), size=PAGE, cursor=request.GET.get("cursor", ""))
    context = {"page": page, "filters": [form["state"]], "query": data.get("q", ""), "filtered": bool(request.GET)}
    return render(request, "incidents/list.html", context)


@staff_page("incident:manage")
def new(request: HttpRequest) -> HttpResponse:
    """Open an incident; what is done then can be put under it."""
    form = OpenForm(posted(request))
    if request.method == "POST" and form.is_valid():
        made = services.open_incident(title=form.cleaned_data["title"], actor=staff_actor(request))
        return redirect("incidents:incident", made.pk)
    return act_page(
        request,
        form,
        heading=_("New incident"),
        lead=_("It keeps together what is done about one leak or misuse: revocations, notes, and who was told."),
        submit=_("Open the incident"),
        here=_("New incident"),
        tone="primary",
        back=("incidents:list", "", _("Incidents")),
    )


@staff_page("staff:view")
@require_safe
def incident(request: HttpRequest, incident_id: str) -> HttpResponse:
    """What was done, to whom, what the keys did, and what was written down."""
    found = _incident(incident_id)
    return render(request, "incidents/incident.html", _context(found, NoteForm()))


def _context(found: Incident, form: NoteForm) -> dict[str, object]:
    return {
        "incident": found,
        "affected": selectors.affected(found),
        "companies": selectors.affected_companies(found),
        "acts": [line(event, target_page) for event in selectors.acts(found)],
        "calls": selectors.calls(found),
        "notes": found.notes.all(),
        "runs": found.runs.select_related("incident")[:10],
        "notices": found.notices.count(),
        "form": form,
    }


@staff_page("staff:view")
@require_safe
def keys(request: HttpRequest, incident_id: str) -> HttpResponse:
    """Every key and connection that was revoked under the incident."""
    found = _incident(incident_id)
    page = paginate(selectors.revocations(found), order=("-id",), size=PAGE, cursor=request.GET.get("cursor", ""))
    lines = [line(event, target_page) for event in page.rows]
    return render(request, "incidents/keys.html", {"incident": found, "page": page, "lines": lines})


@staff_page("incident:manage")
@require_POST
def note(request: HttpRequest, incident_id: str) -> HttpResponse:
    """Write something down."""
    found = _incident(incident_id)
    form = NoteForm(request.POST)
    if form.is_valid():
        try:
            services.add_note(incident=found, text=form.cleaned_data["text"], actor=staff_actor(request))
        except IncidentError as error:
            form.add_error(None, str(error.message))
    if form.errors:
        return render(request, "incidents/incident.html", _context(found, form), status=400)
    return redirect("incidents:incident", found.pk)


@staff_page("incident:manage")
def notices(request: HttpRequest, incident_id: str) -> HttpResponse:
    """Tell the owners of the affected companies who were not told yet."""
    found = _incident(incident_id)
    affected = selectors.affected(found, fresh=True)
    if not affected.companies:
        messages.info(request, _("Nothing was revoked under this incident yet: there is nobody to tell."))
        return redirect("incidents:incident", found.pk)
    if request.method == "POST":
        ask_for_notices(incident=found, actor=staff_actor(request))
        messages.success(request, _("The owners are told by mail, each of them once."))
        return redirect("incidents:incident", found.pk)
    from portal.staff.forms import ConfirmForm

    return act_page(
        request,
        ConfirmForm(),
        heading=_("Tell the owners"),
        lead=ngettext(
            "Each owner of the company gets one mail: what was revoked, why, and what to do.",
            "Each owner of the %(number)s affected companies gets one mail: what was revoked, why, and what to do.",
            affected.companies,
        )
        % {"number": affected.companies},
        submit=_("Send the mails"),
        here=_("Tell the owners"),
        tone="primary",
        back=("incidents:incident", found.pk, found.title),
    )


@staff_page("incident:manage")
@require_POST
def close(request: HttpRequest, incident_id: str) -> HttpResponse:
    """Say that it is dealt with."""
    services.close_incident(incident=_incident(incident_id), actor=staff_actor(request))
    return redirect("incidents:incident", incident_id)


@staff_page("incident:manage")
@require_POST
def reopen(request: HttpRequest, incident_id: str) -> HttpResponse:
    """Go on with it."""
    services.reopen_incident(incident=_incident(incident_id), actor=staff_actor(request))
    return redirect("incidents:incident", incident_id)


@staff_page("incident:manage")
@require_safe
def report(request: HttpRequest, incident_id: str) -> HttpResponseBase:
    """The report as a page to keep and print."""
    return _exported(request, incident_id, "html")


@staff_page("incident:manage")
@require_safe
def table(request: HttpRequest, incident_id: str) -> HttpResponseBase:
    """What was revoked, as a table."""
    return _exported(request, incident_id, "csv")


def _exported(request: HttpRequest, incident_id: str, ending: str) -> HttpResponseBase:
    found = _incident(incident_id)
    if request.method == "HEAD":
        raise BadRequest  # a file that nobody gets is no export
    with transaction.atomic():
        services.note_act(found, "incident:exported", staff_actor(request), format=ending)
    return reports.html_file(found) if ending == "html" else reports.csv_file(found)


def _incident(incident_id: str) -> Incident:
    return get_object_or_404(Incident, pk=incident_id)
