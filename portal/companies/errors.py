"""What can be wrong with an act on a company. Pages say `message`; it tells what to do."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class CompanyError(Exception):
    """An act that the present state of things does not allow. Nothing was done."""

    default: str | Promise = _("This cannot be done now.")

    def __init__(self, message: str | Promise | None = None) -> None:
        self.message = message or self.default
        super().__init__(str(self.message))


class WrongState(CompanyError):
    """The company is in a state that the act does not start from."""

    default = _("The company's state does not allow this. Load the page again to see its state.")


class PlanUnknown(CompanyError):
    """No plan of settings.PLANS."""

    default = _("There is no such plan. Choose one of the list.")


class LastOwner(CompanyError):
    """A company always has an owner."""

    default = _("A company needs an owner. Make another member an owner first.")


class AlreadyMember(CompanyError):
    """The user is a member already."""

    default = _("This person is a member already.")
