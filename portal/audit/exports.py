"""The record as a file: streamed, so that a long chain costs no memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from portal.audit.models import AuditEvent
from portal.audit.sentences import plain_sentence

CSV_COLUMNS = (
    "number", "at", "sentence", "action", "actor_kind", "actor_id", "actor", "target_kind", "target_id", "target",
    "reason", "ip", "user_agent", "request_id", "incident_id", "data", "hash",
)  # fmt: skip
# With these and the hashes anyone can verify the chain without the portal.
JSON_FIELDS = (
    "chain", "number", "at", "action", "actor_kind", "actor_id", "target_kind", "target_id", "reason", "data",
    "request_id", "incident_id", "actor_label", "target_label", "ip", "user_agent", "personal_salt",
    "personal_digest", "previous_hash", "hash",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def guarded(value: Any) -> str:
    """`value` for a cell of a spreadsheet, which must not run it as a formula (OWASP, CSV injection)."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Echo:
    """A file for csv.writer that hands back each line."""

    def write(self, line: str) -> str:
        return line


def csv_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """A header, then one line an event."""
    writer = csv.writer(_Echo())
    yield writer.writerow(CSV_COLUMNS)
    for event in events.iterator(chunk_size=1000):
        yield writer.writerow(
            guarded(value)
            for value in (
                event.number, event.at.isoformat(timespec="seconds"), plain_sentence(event), event.action,
                event.actor_kind, event.actor_id, event.actor_label, event.target_kind, event.target_id,
                event.target_label, event.reason, event.ip, event.user_agent, event.request_id, event.incident_id,
                json.dumps(event.data, ensure_ascii=False, sort_keys=True), event.hash,
            )
        )  # fmt: skip


def json_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """One JSON array, an event a line."""
    yield "["
    separator = "\n"
    for event in events.iterator(chunk_size=1000):
        fields = {name: getattr(event, name) for name in JSON_FIELDS}
        fields["at"] = event.at.isoformat(timespec="microseconds")
        yield separator + json.dumps(fields, ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n"


def download(events: QuerySet[AuditEvent], *, file_format: str, name: str) -> StreamingHttpResponse:
    """`events` as the file `name`.csv or `name`.json."""
    if file_format == "csv":
        response = StreamingHttpResponse(csv_lines(events), content_type="text/csv; charset=utf-8")
    else:
        response = StreamingHttpResponse(json_lines(events), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{name}.{file_format}"'
    response["Cache-Control"] = "no-store"
    return response
