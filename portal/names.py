"""Names that people give to companies and to themselves: shown to others, so they must not deceive (S23)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# Joiners shape letters in Persian and the Indic scripts; every other invisible character only hides something.
_JOINERS: Final = frozenset("\u200c\u200d")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# What mail programs turn into a link by themselves. A full list of domains would refuse St.Gallen and Node.js.
_LINK: Final = re.compile(
    r"://|\bwww\.|\w@\w|\w\.\w+/|"
    r"\w\.(?:com|net|org|io|ai|app|dev|co|info|biz|xyz|online|site|shop|top|me|eu|uk|de|fr|nl|us|ru|cn|in|link|click"
    r"|page|cloud|tech|gov|edu|support|help)\b",
    re.IGNORECASE,
)


def clean_name(text: str) -> str:
    """`text` in Unicode's composed form with single blanks. Raises ValidationError if it could deceive a reader.

    Refused: control, invisible and direction-changing characters, web and e-mail addresses, a name without a letter
    or digit, and stacks of more than three combining marks.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()
    for character in name:
        hidden = unicodedata.category(character) in _INVISIBLE and character not in _JOINERS
        if hidden or character in _BLANK_LETTERS:
            raise ValidationError(_("The name has an invisible character in it. Type it anew."), code="invisible")
    name = " ".join(name.split())
    if not any(character.isalnum() for character in name):
        raise ValidationError(_("The name needs at least one letter or digit."), code="blank")
    if _LINK.search(unicodedata.normalize("NFKC", name)):
        raise ValidationError(_("A name cannot contain a web or e-mail address. Leave it out."), code="link")
    if _has_stacked_marks(name):
        raise ValidationError(_("The name has too many accents on one letter."), code="marks")
    return name


def clean_company_name(text: str) -> str:
    """As `clean_name`; refuses the portal's own name too, so that no company can write in its name."""
    name = clean_name(text)
    plain = "".join(part for part in unicodedata.normalize("NFKD", name).casefold() if part.isalnum())
    if "latchkey" in plain:
        raise ValidationError(_("A company cannot carry the name of this portal. Choose another name."), code="portal")
    return name


def _has_stacked_marks(name: str) -> bool:
    run = 0
    for character in unicodedata.normalize("NFD", name):
        run = run + 1 if unicodedata.combining(character) else 0
        if run > 3:
            return True
    return False
