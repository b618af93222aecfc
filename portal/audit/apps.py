"""The audit room."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The append-only record."""

    name = "portal.audit"
    label = "audit"
