"""The webhooks room."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """Endpoints, events and their deliveries."""

    name = "keys.webhooks"
    label = "webhooks"

    def ready(self) -> None:
        """Listen to what happens to companies."""
        from keys.webhooks import reactions  # noqa: F401  (connects its receiver)
