"""The portal itself: its commands and its start-up checks."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Commands, checks and pages that belong to no room."""

    name = "portal"

    def ready(self) -> None:
        """Register the checks, and make our Celery application the one that tasks are sent through."""
        from portal import celery, checks

        celery.app.set_default()
        checks.register()
