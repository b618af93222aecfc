"""What can be wrong with an act of staff. Pages say `message`; it tells what to do."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class StaffError(Exception):
    """An act that the present state of things does not allow. Nothing was done."""

    default: str | Promise = _("This cannot be done now.")

    def __init__(self, message: str | Promise | None = None) -> None:
        self.message = message or self.default
        super().__init__(str(self.message))


class LastAdministrator(StaffError):
    """There is always an administrator: nobody else could give the role back."""

    default = _("The staff needs an administrator. Make somebody else one first.")


class OwnErasure(StaffError):
    """Whoever erases somebody else is there afterwards to answer for it."""

    default = _("This is you. Delete your own account on its page, under Your account.")


class RuleEmpty(StaffError):
    """A rule without a condition would revoke every key of the installation."""

    default = _("Choose at least one condition.")


class RunOver(StaffError):
    """The run is not in a state from which this can be done."""

    default = _("This revocation is over, or waits for something else. Load the page again to see its state.")


class OwnApproval(StaffError):
    """The four-eyes rule: whoever asked cannot approve."""

    default = _("Somebody else of the staff has to approve what you asked for.")


class RuleTooWide(StaffError):
    """A range from which so many addresses were seen that the rule cannot name them."""

    default = _("Too many addresses of this range were seen. Choose a smaller range, or several of them.")
