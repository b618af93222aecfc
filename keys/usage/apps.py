"""The usage room."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """Counts of verdicts."""

    name = "keys.usage"
    label = "usage"
