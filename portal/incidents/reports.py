"""An incident as a file for the post-mortem: a page that needs nothing else and prints well, or a table."""

from __future__ import annotations

import base64
import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from portal.audit.exports import guarded
from portal.audit.sentences import line
from portal.incidents import selectors
from portal.incidents.models import Incident

IN_REPORT: Final = 1000  # keys that the page lists; the table has all of them
_STYLE: Final = Path(settings.BASE_DIR, "static", "css", "report.css")
_COLUMNS: Final = (
    "revoked_at", "kind", "id", "name", "company_id", "company", "user", "mcp_server", "made_at", "last_used_at",
    "calls_let_through_30_days", "calls_refused_since", "addresses", "reason", "revoked_by",
)  # fmt: skip


class _Echo:
    """A file for csv.writer that hands back each line."""

    def write(self, text: str) -> str:
        return text


def html_file(incident: Incident) -> HttpResponse:
    """The report as one HTML file: no script, nothing from elsewhere, its only style named by hash in its policy."""
    style = _STYLE.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    affected = selectors.affected(incident, fresh=True)
    context = {
        "incident": incident,
        "policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        "style": format_html("<style>{}</style>", mark_safe(style)),  # noqa: S308  (a file of ours)
        "affected": affected,
        "companies": selectors.affected_companies(incident, most=1000),
        "acts": [line(event) for event in reversed(selectors.acts(incident))],
        "notes": incident.notes.all(),
        "calls": selectors.calls(incident),
        "runs": incident.runs.order_by("created_at"),
        "rows": selectors.rows(incident, most=IN_REPORT),
        "more": max(0, affected.keys + affected.connections - IN_REPORT),
        "notices": incident.notices.count(),
        "made_at": timezone.now(),
    }
    return _attached(HttpResponse(render_to_string("incidents/report.html", context)), incident, "html")


def csv_file(incident: Incident) -> StreamingHttpResponse:
    """Every key and connection that was revoked, a line each; streamed, so that a big one costs no memory."""
    response = StreamingHttpResponse(_csv_lines(incident), content_type="text/csv; charset=utf-8")
    _attached(response, incident, "csv")
    return response


def _csv_lines(incident: Incident) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(_COLUMNS)
    for row in selectors.rows(incident):
        event = row.event
        yield writer.writerow(
            guarded(value)
            for value in (
                event.at.isoformat(timespec="seconds"), event.target_kind, event.target_id, event.target_label,
                event.chain, row.company, row.user, row.server, row.made_at and row.made_at.isoformat(),
                row.last_used_at and row.last_used_at.isoformat(), row.before, row.after, " ".join(row.addresses),
                event.reason, event.actor_label,
            )
        )  # fmt: skip


def _attached(response: HttpResponse | StreamingHttpResponse, incident: Incident, ending: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="incident-{incident.pk}.{ending}"'
    response["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]
