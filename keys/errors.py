"""What can be wrong with an act on a key. Pages and API say `message`; it tells what to do."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class LifecycleError(Exception):
    """An act that the present state of things does not allow. Nothing was done."""

    code = "conflict"
    default: str | Promise = _("This cannot be done now.")

    def __init__(self, message: str | Promise | None = None, **facts: Any) -> None:
        self.message = message or self.default
        self.facts = facts
        super().__init__(str(self.message))


class CompanyInactive(LifecycleError):
    """The company is not active: no key can be made or rotated."""

    code = "company_inactive"
    default = _("The company is not active. Confirm a card first, or ask support why it was suspended.")


class ServerUnavailable(LifecycleError):
    """The MCP server is not there for this company, is archived, or is stopped."""

    code = "server_unavailable"
    default = _("This MCP server is not available to the company. Choose another one.")


class ScopeUnknown(LifecycleError):
    """A scope that is none, or names a tool that the server does not have."""

    code = "scope_unknown"
    default = _("The MCP server has no such tool. Choose from its list.")


class ScopeBeyondRights(LifecycleError):
    """A scope that the member's role does not reach."""

    code = "scope_beyond_rights"
    default = _("The member's role does not reach this far. Choose fewer tools, or ask an admin.")


class LifetimeInvalid(LifecycleError):
    """An expiry in the past or too far away, or an overlap that is too long."""

    code = "lifetime_invalid"
    default = _("The expiry must be in the future, and at most ten years away.")


class AddressInvalid(LifecycleError):
    """An entry of an IP allow list that is neither an address nor a CIDR range."""

    code = "address_invalid"
    default = _("Use addresses or CIDR ranges, such as 203.0.113.0/24 or 2001:db8::/32.")


class LabelInvalid(LifecycleError):
    """A label that is none, or more labels than a key can have."""

    code = "label_invalid"
    default = _("A key can have at most 5 labels.")


class LimitBeyondPlan(LifecycleError):
    """A member asks for more calls than the company's plan gives: only staff can give more."""

    code = "limit_beyond_plan"
    default = _("Your plan does not allow this many calls. Choose fewer, or leave it empty for the plan's own limit.")


class NotUsable(LifecycleError):
    """The key is expired or revoked: it can only be looked at."""

    code = "not_usable"
    default = _("This key is no longer in use. Create a new one.")


class AlreadyRotated(LifecycleError):
    """The value was replaced already: rotate its newer value."""

    code = "already_rotated"
    default = _("This value was rotated already. Rotate its newer value instead.")


class NotAllowed(LifecycleError):
    """The member may not do this."""

    code = "not_allowed"
    default = _("Your role does not allow this. Ask an owner or admin of the company.")


class NameTaken(LifecycleError):
    """An MCP server with this name or address exists."""

    code = "name_taken"
    default = _("An MCP server with this name or address is registered already.")
