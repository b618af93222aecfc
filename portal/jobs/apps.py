"""The room of background work."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Runs and failures of Celery's tasks."""

    name = "portal.jobs"
    label = "jobs"

    def ready(self) -> None:
        """Listen to Celery."""
        from portal.jobs import reactions  # noqa: F401
