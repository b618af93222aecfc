"""The keys room."""

from django.apps import AppConfig


class KeysConfig(AppConfig):
    """Keys, MCP servers and their credentials."""

    name = "keys"
