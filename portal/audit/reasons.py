"""Reasons: recorded in English, whoever acts, and read in the language of whoever looks."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

# Those that forms offer, and those of what happens by itself. Words of people's own are kept as they are.
KNOWN: Final = frozenset(
    {
        _("No longer needed"), _("Leaked or exposed"), _("Replaced by a newer one"), _("The person left"),
        _("Leaked"), _("Suspected misuse"), _("The company asked for it"), _("Card no longer valid"),
        _("Terms not kept"), _("The company was closed"), _("Its member was removed from the company"),
        _("Its maker was removed from the company"), _("Replaced by a new sign-in"),
    }
)  # fmt: skip


def reason_in_words(reason: str) -> str:
    """`reason` as it was recorded, such as “Leaked: in a build log”, with what is known of it translated."""
    known, colon, own = reason.partition(": ")
    return f"{gettext(known)}{colon}{own}" if known in KNOWN else reason
