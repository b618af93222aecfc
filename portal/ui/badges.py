"""States and outcomes as people see them: one word and one tone each."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Value → (words, tone). Tones are classes of static/css/latchkey.css: success, warning, danger, info, neutral.
BADGES: Final[dict[str, tuple[str | Promise, str]]] = {
    "active": (_("Active"), "success"),
    "rotating": (_("Rotating"), "info"),
    "expired": (_("Expired"), "neutral"),
    "revoked": (_("Revoked"), "danger"),
    "pending": (_("Pending"), "warning"),
    "suspended": (_("Suspended"), "danger"),
    "stopped": (_("Stopped"), "danger"),
    "closed": (_("Closed"), "neutral"),
    "archived": (_("Archived"), "neutral"),
    "approved": (_("Approved"), "success"),
    "declined": (_("Declined"), "danger"),
    "failed": (_("Failed"), "danger"),
    "delivered": (_("Delivered"), "success"),
    "verified": (_("Verified"), "success"),
    "unverified": (_("Not verified"), "warning"),
    "healthy": (_("Healthy"), "success"),
    "degraded": (_("Degraded"), "warning"),
    "down": (_("Down"), "danger"),
    "on": (_("On"), "success"),
    "off": (_("Off"), "neutral"),
    "owner": (_("Owner"), "info"),
    "admin": (_("Admin"), "info"),
    "developer": (_("Developer"), "neutral"),
    "viewer": (_("Viewer"), "neutral"),
    "staff": (_("Staff"), "warning"),
    "administrator": (_("Administrator"), "info"),
    "support": (_("Support"), "info"),
    "open": (_("Open"), "warning"),
    "waiting": (_("Waits"), "warning"),
    "running": (_("Running"), "info"),
    "refused": (_("Refused"), "neutral"),
    "done": (_("Done"), "success"),
    "VALID": (_("VALID"), "success"),
    "RATE_LIMITED": (_("RATE_LIMITED"), "warning"),
}


def badge_of(value: object) -> tuple[str, str]:
    """The words and the tone for `value`. A value that is not listed keeps its own words, in the neutral tone.

    A verdict's code (upper case) is a word of the API and is not translated; every code but VALID and RATE_LIMITED
    is a refusal.
    """
    text = str(getattr(value, "value", value))
    if text in BADGES:
        words, tone = BADGES[text]
        return str(words), tone
    if text.isupper():
        return text, "danger"
    return str(getattr(value, "label", "")) or text.replace("_", " ").capitalize(), "neutral"
