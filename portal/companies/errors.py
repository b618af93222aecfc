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


class NotAllowed(CompanyError):
    """The member's role does not reach this far."""

    default = _("Your role does not allow this. Ask an owner of the company.")


class InvitationRefused(CompanyError):
    """An invitation that cannot be accepted, or not be changed any more."""

    default = _("This invitation is not good any more. Ask for another one.")


class TooManyInvitations(CompanyError):
    """More invitations than a company can have open or send in a while."""

    default = _("Too many invitations are open. Withdraw some, or wait until they are accepted.")


class ExportPending(CompanyError):
    """An export is being made, or too many were made within a day."""

    default = _("An export is being made already. Whoever asked for it gets a mail when it is ready.")
    too_many = _("Five exports were made within a day. Use one of those, or wait until tomorrow.")


class SecondFactorMissing(CompanyError):
    """Who asks others for a second factor needs one."""

    default = _("Set up a second factor for yourself first: you would lock yourself out.")


class NoHeir(CompanyError):
    """Whoever should get something is no other member of the company."""

    default = _("Choose another member of this company.")
