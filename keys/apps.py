"""The keys room."""

from django.apps import AppConfig


class KeysConfig(AppConfig):
    """Keys, MCP servers and their credentials."""

    name = "keys"

    def ready(self) -> None:
        """Listen to what happens to companies."""
        from keys import reactions  # noqa: F401  (connects its receivers)
        from keys.api import schema  # noqa: F401  (registers its extensions)
