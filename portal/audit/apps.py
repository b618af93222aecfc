"""The audit room."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The append-only record."""

    name = "portal.audit"
    label = "audit"

    def ready(self) -> None:
        """Put the record into exports."""
        from portal.audit import datasets  # noqa: F401  (registers itself)
