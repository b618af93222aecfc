"""The ui room."""

from django.apps import AppConfig


class UiConfig(AppConfig):
    """The design system's template tags."""

    name = "portal.ui"
    label = "ui"
