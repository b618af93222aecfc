"""The room of incidents."""

from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    """What was done about one leak or misuse, kept together."""

    name = "portal.incidents"
    label = "incidents"
