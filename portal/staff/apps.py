"""The staff room."""

from django.apps import AppConfig


class StaffConfig(AppConfig):
    """The operator's staff."""

    name = "portal.staff"
    label = "staff"
