"""Reading the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import QuerySet

from portal.audit.models import AuditEvent

if TYPE_CHECKING:
    from portal.companies.models import Company


def company_events(company: Company) -> QuerySet[AuditEvent]:
    """The events of one company, latest first."""
    return AuditEvent.objects.filter(chain=company.pk).order_by("-id")


def target_events(company: Company, kind: str, identifier: str) -> QuerySet[AuditEvent]:
    """The events of one company about one thing, latest first."""
    return AuditEvent.objects.filter(chain=company.pk, target_kind=kind, target_id=identifier).order_by("-id")
