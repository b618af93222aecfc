"""A company's data as a file: asked for on a page, made by a task, downloaded by somebody who is signed in."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from portal.audit.exports import guarded
from portal.audit.services import Target, record
from portal.companies import mails
from portal.companies.datasets import Dataset, Row, datasets
from portal.companies.errors import ExportPending, WrongState
from portal.companies.models import Company, CompanyExport, CompanyState, ExportPart, ExportState

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor

KEPT = timedelta(days=7)
MOST_A_DAY = 5
PART = 1024 * 1024
LOST_AFTER = timedelta(minutes=15)  # longer than a task may run: the broker lost it
GIVEN_UP_AFTER = timedelta(hours=2)
README = """The data of {name} in Latchkey, as of {now:%Y-%m-%d %H:%M} UTC.

Each table is there twice, as CSV for spreadsheets and as JSON. Times are in UTC.
Secrets are not in it: Latchkey stores none of your keys, only hashes, and those stay where they are.
"""


@transaction.atomic
def request_export(*, company: Company, user: User, actor: Actor) -> CompanyExport:
    """Have an export made; `user` gets a mail when it is ready.

    Raises ExportPending if one is being made or five were asked for within a day; WrongState if the company is closed.
    """
    company = Company.objects.select_for_update().get(pk=company.pk)
    if company.state == CompanyState.CLOSED:
        raise WrongState
    if company.exports.filter(state=ExportState.WAITING).exists():
        raise ExportPending
    if company.exports.filter(requested_at__gt=timezone.now() - timedelta(days=1)).count() >= MOST_A_DAY:
        raise ExportPending(ExportPending.too_many)
    export = CompanyExport.objects.create(company=company, requested_by=user)
    record("company:export_requested", actor=actor, company=company, target=_target(export))
    transaction.on_commit(lambda: _queue(export.pk))
    return export


def make_export(export_id: str) -> bool:
    """Make the file of an export that waits, and mail who asked for it. Safe to repeat; says whether it made one."""
    export = CompanyExport.objects.select_related("company", "requested_by").filter(pk=export_id).first()
    if export is None or export.state != ExportState.WAITING:
        return False
    try:
        with tempfile.TemporaryFile() as file:
            write(export.company, file)
            return _store(export, file)
    except Exception:
        CompanyExport.objects.filter(pk=export.pk, state=ExportState.WAITING).update(
            state=ExportState.FAILED, finished_at=timezone.now()
        )
        raise


def write(company: Company, file: IO[bytes]) -> None:
    """Write the data of `company` as a ZIP archive into `file`, table after table: a long one costs no memory."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README.format(name=company.name, now=timezone.now()))
        for dataset in datasets():
            _write_table(archive, dataset, dataset.rows(company))


@transaction.atomic
def note_download(*, export: CompanyExport, actor: Actor) -> None:
    """Record that somebody takes a copy."""
    record("company:export_downloaded", actor=actor, company=export.company_id, target=_target(export))


def pieces(export: CompanyExport) -> Iterator[bytes]:
    """The file, piece by piece."""
    numbers = list(export.parts.values_list("pk", flat=True))
    for pk in numbers:
        yield bytes(ExportPart.objects.values_list("data", flat=True).get(pk=pk))


def recent_exports(company: Company) -> QuerySet[CompanyExport]:
    """The exports of `company` that are still of use, latest first."""
    return company.exports.select_related("requested_by").order_by("-requested_at", "id")


def ready_export(company: Company, export_id: str) -> CompanyExport | None:
    """An export of `company` that can be downloaded now, or None."""
    found = company.exports.filter(pk=export_id, state=ExportState.READY, expires_at__gt=timezone.now())
    return found.first()


def tidy(now: datetime | None = None) -> int:
    """Delete what is past its time, and take care of what the broker lost. Safe to repeat."""
    now = now or timezone.now()
    waiting = CompanyExport.objects.filter(state=ExportState.WAITING)
    waiting.filter(requested_at__lt=now - GIVEN_UP_AFTER).update(state=ExportState.FAILED, finished_at=now)
    for export_id in waiting.filter(requested_at__lt=now - LOST_AFTER).values_list("pk", flat=True):
        _queue(export_id)
    old = CompanyExport.objects.filter(expires_at__lte=now) | CompanyExport.objects.filter(
        state=ExportState.FAILED, finished_at__lte=now - KEPT
    )
    return old.delete()[0]


def _write_table(archive: zipfile.ZipFile, dataset: Dataset, rows: Iterator[Row]) -> None:
    """JSON straight into the archive, CSV beside it: the rows are read once, so that the two are the same."""
    with tempfile.SpooledTemporaryFile(PART) as beside:
        table = io.TextIOWrapper(beside, "utf-8", newline="", write_through=True)
        writer = csv.writer(table)
        writer.writerow(dataset.columns)
        with archive.open(f"{dataset.name}.json", "w", force_zip64=True) as json_file:
            json_file.write(b"[")
            separator = b"\n"
            for row in rows:
                json_file.write(separator + json.dumps(row, ensure_ascii=False, default=_plain).encode())
                separator = b",\n"
                writer.writerow(_cell(row[column]) for column in dataset.columns)
            json_file.write(b"\n]\n")
        table.flush()
        beside.seek(0)
        with archive.open(f"{dataset.name}.csv", "w", force_zip64=True) as csv_file:
            while piece := beside.read(PART):
                csv_file.write(piece)
        table.detach()


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _cell(value: Any) -> str:
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    return guarded(_plain(value) if isinstance(value, datetime | date) else value)


@transaction.atomic
def _store(export: CompanyExport, file: IO[bytes]) -> bool:
    locked = CompanyExport.objects.select_for_update().filter(pk=export.pk, state=ExportState.WAITING).first()
    if locked is None:  # another worker was first
        return False
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    for number, piece in enumerate(iter(lambda: file.read(PART), b"")):
        ExportPart.objects.create(export=locked, number=number, data=piece)
    now = timezone.now()
    locked.state, locked.size, locked.finished_at, locked.expires_at = ExportState.READY, size, now, now + KEPT
    locked.save(update_fields=["state", "size", "finished_at", "expires_at"])
    if export.requested_by:
        page = reverse("company_export", kwargs={"slug": export.company.slug})
        context = {"expires_at": locked.expires_at, "address": mails.address(page)}
        mails.tell("export_ready", [export.requested_by], company=export.company, **context)
    return True


def _queue(export_id: str) -> None:
    from portal.companies.tasks import export  # tasks import this module

    export.delay(export_id)


def _target(export: CompanyExport) -> Target:
    return Target("export", export.pk, f"{export.requested_at:%Y-%m-%d}")
