"""The leaks room."""

from django.apps import AppConfig


class LeaksConfig(AppConfig):
    """Reports of leaked tokens."""

    name = "keys.leaks"
    label = "leaks"
