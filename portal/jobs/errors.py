"""Why a failed task cannot be run again."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class NotReplayable(Exception):
    """The task cannot be run again, or not now; `message` says why."""

    message: str | Promise = _("This task cannot be run again: its arguments were not kept, or it is gone.")

    def __str__(self) -> str:
        return str(self.message)


class AlreadySettled(NotReplayable):
    """Somebody was first."""

    message = _("Somebody has dealt with this already.")


class QueueAway(NotReplayable):
    """The broker does not take tasks now."""

    message = _("The queue is away, so nothing was done. Try again when it is back.")
