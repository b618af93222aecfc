"""The usage pages of a company: how often its keys were used and refused, and the same as a file."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from keys.models import Key
from keys.selectors import company_key
from keys.usage import rankings, selectors
from keys.usage.windows import SPANS, USUAL_SPAN, Window, window
from portal.audit.exports import guarded
from portal.audit.views import company_zone
from portal.companies.access import CompanyRequest, company_page

SPAN_WORDS = dict(zip(SPANS, (_("24 hours"), _("7 days"), _("30 days"), _("90 days")), strict=True))


@require_safe
@company_page("usage:view")
def usage(request: CompanyRequest, slug: str) -> HttpResponse:
    """Requests over time, by outcome, tool, client and key; `?days=` and `?key=` choose which."""
    found, key = _window(request)
    shown = selectors.usage(found)
    if shown.ranking and shown.ranking.is_due:
        rankings.ask(found)
    chart_label = (
        ngettext("Requests let through, last %(days)d day", "Requests let through, last %(days)d days", found.days)
    ) % {"days": found.days}
    context = {
        "usage": shown,
        "key": key,
        "spans": SPAN_WORDS.items(),
        "chart_label": chart_label,
        "query": request.GET.urlencode(),
        "is_unused": not shown.total and not _ever_used(request, key),
    }
    return render(request, "usage/usage.html", context)


@require_safe
@company_page("usage:view")  # type: ignore[arg-type]  # a streamed file is no HttpResponse
def export(request: CompanyRequest, slug: str) -> HttpResponseBase:
    """Every count of the window as CSV: by the hour where the page shows hours or the company's own days."""
    found, _key = _window(request)
    response = StreamingHttpResponse(_lines(found), content_type="text/csv; charset=utf-8")
    name = f"{request.company.slug}-usage-{timezone.now():%Y-%m-%d}-{found.days}d"
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "no-store"
    return response


class _Echo:
    """A file for csv.writer that hands back each line."""

    def write(self, line: str) -> str:
        return line


def _lines(found: Window) -> Iterator[str]:
    writer = csv.writer(_Echo())
    for row in selectors.table(found):
        yield writer.writerow(guarded(value) for value in row)


def _window(request: CompanyRequest) -> tuple[Window, Key | None]:
    """What the address asks for. An unknown number of days counts as the usual one; an unknown key is no page."""
    asked = request.GET.get("days", "")
    days = int(asked) if asked in {str(span) for span in SPANS} else USUAL_SPAN
    key_id, key = request.GET.get("key", ""), None
    if key_id:
        key = company_key(request.company, key_id) if key_id.isalnum() else None
        if key is None:
            raise Http404
    return window(request.company, days, company_zone(request.company), key_id=key_id), key


def _ever_used(request: CompanyRequest, key: Key | None) -> bool:
    if key is not None:
        return key.last_used_at is not None
    return request.company.keys.filter(last_used_at__isnull=False).exists()
