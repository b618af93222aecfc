"""The billing room."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Card confirmation."""

    name = "portal.billing"
    label = "billing"

    def ready(self) -> None:
        """Listen to what happens to companies."""
        from portal.billing import reactions  # noqa: F401  (connects its receivers)
