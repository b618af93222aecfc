"""The accounts room."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People and how they sign in."""

    name = "portal.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Listen to what allauth does."""
        from portal.accounts import reactions, reauthentication  # noqa: F401  (connect their receivers)
