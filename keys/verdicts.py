"""The closed list of verdicts: the answers to "is this key good for this?". Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Why a key is good or not."""

    VALID = "VALID"
    MALFORMED = "MALFORMED"
    NOT_FOUND = "NOT_FOUND"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    COMPANY_INACTIVE = "COMPANY_INACTIVE"
    WRONG_SERVER = "WRONG_SERVER"
    INSUFFICIENT_SCOPE = "INSUFFICIENT_SCOPE"
    IP_DENIED = "IP_DENIED"
    RATE_LIMITED = "RATE_LIMITED"


def _(text: str) -> str:
    """Mark `text` for translation and leave it as it is: machines get it in English, pages in the reader's language."""
    return text


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says to a person, and what the MCP server that gets it should answer."""

    message: str
    status: int
    # Empty where no other token would help: a challenge would make clients send the person to sign in, in vain.
    error: str = ""  # the `error` of `WWW-Authenticate: Bearer` (RFC 6750, section 3.1)


MEANINGS: Final[dict[Code, Meaning]] = {
    Code.VALID: Meaning(_("The key is good for this."), 200),
    Code.MALFORMED: Meaning(_("This is not a Latchkey key: check that it was copied whole."), 401, "invalid_token"),
    Code.NOT_FOUND: Meaning(_("This key is not known here."), 401, "invalid_token"),
    Code.REVOKED: Meaning(_("This key was revoked; create a new one in the portal."), 401, "invalid_token"),
    Code.EXPIRED: Meaning(_("This key has expired; create a new one in the portal."), 401, "invalid_token"),
    Code.COMPANY_INACTIVE: Meaning(_("The key's company is not active: its owner can see why in the portal."), 403),
    Code.WRONG_SERVER: Meaning(_("This key is not known here."), 401, "invalid_token"),
    Code.INSUFFICIENT_SCOPE: Meaning(_("The key does not have the scope for this tool."), 403, "insufficient_scope"),
    Code.IP_DENIED: Meaning(_("The key may not be used from this address."), 403),
    Code.RATE_LIMITED: Meaning(_("The key has made too many requests; try again when its limit resets."), 429),
}
