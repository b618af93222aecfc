"""The company's page of its record, and the record as a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from portal.audit.actors import Actor
from portal.audit.exports import download
from portal.audit.forms import WORDS_IN, EventFilter
from portal.audit.models import AuditEvent
from portal.audit.selectors import company_events
from portal.audit.sentences import Line, line
from portal.audit.services import Target, record
from portal.audit.verification import chain_state
from portal.companies.access import company_page
from portal.companies.models import Company
from portal.cursors import paginate

PAGE = 50


@company_page("audit:view")
@require_safe
def audit(request: HttpRequest, slug: str) -> HttpResponse:
    """Who did what in the company, latest first, and whether the record holds."""
    company: Company = request.company  # type: ignore[attr-defined]
    with timezone.override(company_zone(company)):
        form = event_filter(request, company)
        events = form.apply(company_events(company), words_in=WORDS_IN)
        page = paginate(events, order=("-id",), size=PAGE, cursor=request.GET.get("cursor", ""))
        context = {
            "form": form,
            "words_in": WORDS_IN,
            "page": page,
            "days": by_day(page.rows, lambda event: line(event, lambda it: target_page(it, company))),
            "chain": chain_state(company.pk, now=request.GET.get("verify") == "1"),
        }
        return render(request, "audit/company.html", context)


@company_page("audit:view")  # type: ignore[arg-type]  # a streamed file is no HttpResponse
@require_safe
def export(request: HttpRequest, slug: str, file_format: str) -> HttpResponseBase:
    """The events that the page's filter finds, all of them, as CSV or JSON. Taking a copy is an event itself."""
    company: Company = request.company  # type: ignore[attr-defined]
    form = event_filter(request, company)
    events = form.apply(company_events(company)).order_by("id")
    with transaction.atomic():
        record(
            "audit:exported",
            actor=Actor.user(request.user, request),  # type: ignore[arg-type]
            company=company,
            target=Target("company", company.pk, company.name),
            data={"format": file_format},
        )
    name = f"{slugify(company.name) or company.slug}-audit-{timezone.now():%Y-%m-%d}"
    return download(events, file_format=file_format, name=name)


def event_filter(request: HttpRequest, company: Company) -> EventFilter:
    """The filter form of the request, offering the company's members as those who may have acted."""
    members = company.memberships.select_related("user").order_by("user__name", "user_id")[:200]
    people = [(membership.user_id, str(membership.user)) for membership in members]
    return EventFilter(request.GET, people=people, zone=company_zone(company))


def company_zone(company: Company) -> ZoneInfo:
    """The company's time zone; UTC if this machine does not know it."""
    return company.zone


def by_day(events: list[AuditEvent], make: Callable[[AuditEvent], Line]) -> list[tuple[str, list[Line]]]:
    """`events` (in order), made lines, under the names of their days: Today, Yesterday, else the date."""
    groups = groupby(events, key=lambda event: timezone.localtime(event.at).date())
    return [(day_name(day), [make(event) for event in group]) for day, group in groups]


def day_name(day: date) -> str:
    """`day` in words."""
    today = timezone.localdate()
    if day == today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    return date_format(day, pgettext("a date with its weekday, by the letters of Django's date filter", "l, j F Y"))


def target_page(event: AuditEvent, company: Company) -> str | None:
    """The address of the page of what the event is about, for a member of the company; None if there is none."""
    names: dict[str, tuple[str, dict[str, Any]]] = {
        "key": ("keys:detail", {"slug": company.slug, "key_id": event.target_id}),
        "card": ("card", {"slug": company.slug}),
        "user": ("team", {"slug": company.slug}),
        "invitation": ("team", {"slug": company.slug}),
        "company": ("settings", {"slug": company.slug}),
        "export": ("company_export", {"slug": company.slug}),
        "key_policy": ("key_policy", {"slug": company.slug}),
        "server": ("servers:detail", {"slug": company.slug, "server_id": event.target_id}),
        "token": ("tokens:list", {"slug": company.slug}),
    }
    if event.target_kind not in names or not event.target_id:
        return None
    name, kwargs = names[event.target_kind]
    try:
        return reverse(name, kwargs=kwargs)
    except NoReverseMatch:
        return None
