"""What can be wrong with an act on an incident. Pages say `message`; it tells what to do."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class IncidentError(Exception):
    """An act that the present state of things does not allow. Nothing was done."""

    default: str | Promise = _("This cannot be done now.")

    def __init__(self, message: str | Promise | None = None) -> None:
        self.message = message or self.default
        super().__init__(str(self.message))


class IncidentClosed(IncidentError):
    """Nothing is added to a closed incident."""

    default = _("This incident is closed. Reopen it first.")
