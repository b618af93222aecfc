"""Where staff begin, and the record of all companies."""

from __future__ import annotations

from datetime import UTC

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal import health
from portal.audit.forms import WORDS_IN, EventFilter
from portal.audit.models import AuditEvent
from portal.audit.sentences import line
from portal.audit.services import PLATFORM
from portal.audit.verification import chain_state
from portal.audit.views import PAGE, by_day
from portal.companies.models import Company
from portal.cursors import paginate
from portal.incidents.selectors import open_incidents
from portal.jobs import selectors as jobs
from portal.staff import dashboards, selectors
from portal.staff.access import staff_page
from portal.staff.figures import all_figures
from portal.staff.forms import FindForm
from portal.ui.times import short_day


@staff_page("staff:view")
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """How many of everything, and what happened last."""
    kept = all_figures()
    risks, counted = dashboards.risks(kept)
    context = {
        "totals": selectors.totals(),
        "companies": selectors.latest_companies(),
        "revocations": selectors.latest_revocations(),
        "find": FindForm(),
        "jobs": jobs.state(),
        "queues": jobs.queue_lengths(),
        "heartbeat_age": health.heartbeat_age(),
        "connections": dashboards.connection_totals(),
        "verdicts": dashboards.verdicts(kept),
        "most_refused": dashboards.most_refused(kept),
        "sign_ups": [(short_day(day), number) for day, number in dashboards.sign_ups()],
        "feeds": dashboards.feeds(),
        "webhooks": dashboards.webhooks(),
        "incidents": open_incidents()[:5],
        "risks": risks,
        "risks_at": counted and counted.at,
    }
    return render(request, "staff/dashboard.html", context)


@staff_page("staff:view")
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """The record: of every company, or of the chain that `chain` names (a company's id, or `platform`)."""
    name = request.GET.get("chain", "")
    company = Company.objects.filter(pk=name).first()
    if name and name != PLATFORM and company is None:
        raise Http404
    form = EventFilter(request.GET, people=[], zone=UTC)
    every = AuditEvent.objects.filter(chain=name) if name else AuditEvent.objects.all()
    events = form.apply(every, words_in=WORDS_IN)
    page = paginate(events, order=("-id",), size=PAGE, cursor=request.GET.get("cursor", ""))
    named = {} if name else Company.objects.in_bulk({event.chain for event in page.rows} - {PLATFORM})
    labels = {pk: found.name for pk, found in named.items()} | ({} if name else {PLATFORM: _("Platform")})
    context = {
        "form": form,
        "words_in": WORDS_IN,
        "page": page,
        "days": by_day(page.rows, lambda event: line(event, target_page, labels.get(event.chain, ""))),
        "chain_name": name,
        "company": company,
        "chain": chain_state(name, now=request.GET.get("verify") == "1") if name else None,
    }
    return render(request, "staff/audit.html", context)


def target_page(event: AuditEvent) -> str | None:
    """The address of the staff's page of what the event is about; None if there is none."""
    pages = {"key": "staff:key", "server": "staff:server", "company": "staff:company", "user": "staff:person",
             "connection": "staff:connection", "token": "staff:token",
             "incident": "incidents:incident"}  # fmt: skip
    if event.target_kind not in pages or not event.target_id:
        return None
    return reverse(pages[event.target_kind], args=[event.target_id])
