"""The ui room."""

from typing import Any

from django.apps import AppConfig


class UiConfig(AppConfig):
    """The design system's template tags, and what forms say."""

    name = "portal.ui"
    label = "ui"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Before any form is made: models, which come after, may import some."""
        from portal.ui import sentences

        sentences.speak()
        super().__init__(*args, **kwargs)
