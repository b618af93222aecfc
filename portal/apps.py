"""The portal itself: its commands and its start-up checks."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Commands, checks and pages that belong to no room."""

    name = "portal"

    def ready(self) -> None:
        """Register the checks, and make our Celery application the one that tasks are sent through."""
        from portal import celery, checks, reporting, tracing
        from portal.metrics import receivers  # noqa: F401  (connects them)

        celery.app.set_default()
        checks.register()
        reporting.start()
        tracing.start()
