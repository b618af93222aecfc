"""The portal itself: its commands and its start-up checks."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Commands, checks and pages that belong to no room."""

    name = "portal"
