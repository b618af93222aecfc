"""The OAuth room."""

from django.apps import AppConfig


class OAuthConfig(AppConfig):
    """Connections of AI clients, on django-oauth-toolkit."""

    name = "keys.oauth"
    label = "oauth"

    def ready(self) -> None:
        """Listen to what happens to companies and members."""
        from keys.oauth import reactions  # noqa: F401  (connects its receivers)
