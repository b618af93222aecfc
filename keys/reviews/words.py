"""Reviews in words."""

from __future__ import annotations

from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from keys.reviews.advice import Advice, Why

# Words and the tone of the badge.
ADVICE: Final[dict[str, tuple[str | Promise, str]]] = {
    Advice.KEEP: (_("Keep"), "success"),
    Advice.ROTATE: (_("Rotate"), "info"),
    Advice.REVOKE: (_("Revoke"), "danger"),
    Advice.NARROW: (_("Narrow"), "warning"),
}
KINDS: Final[dict[str, str | Promise]] = {"key": _("Key"), "connection": _("Connection")}
_WHY: Final[dict[str, str | Promise]] = {
    Why.IN_USE: _("It is in use, and has what it needs."),
    Why.NEW: _("It is new and was not used yet."),
    Why.NEVER_USED: _("It was never used."),
    Why.UNUSED: _("It was not used for 90 days."),
    Why.OLD: _("Its value is more than a year old."),
    Why.NO_EXPIRY: _("It never expires. Replace it by one that does."),
    Why.FEW_TOOLS: _("It may use every tool, and used only %(tools)s."),
    Why.READS_ONLY: _("It may use every tool, and only read: read-only tools would do."),
}


def why(row: dict[str, Any]) -> str:
    """The reason of a review's row as a sentence."""
    words = str(_WHY.get(row.get("why", ""), ""))
    return words % {"tools": ", ".join(row.get("tools", []))} if "%(tools)s" in words else words
