"""Labels of a key: free words by which a company sorts its keys, such as `production` or `office`.

They are kept as one text, `,office,production,`: the same filter then works in every database, and an index can hold
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from django.utils.translation import gettext as _

from keys.errors import LabelInvalid

MOST: Final = 5
LONGEST: Final = 24
_LABEL = re.compile(r"\w[\w .:/+@-]*").fullmatch


def checked_labels(words: Iterable[str]) -> list[str]:
    """`words` in lower case, each once, in the order of the alphabet. Raises LabelInvalid, saying what is wrong."""
    found = set()
    for word in words:
        label = " ".join(word.split()).lower()
        if not label:
            continue
        if len(label) > LONGEST or not _LABEL(label):
            raise LabelInvalid(
                _(
                    "“%(label)s” is no label. Use up to %(longest)d letters, digits and blanks, "
                    "beginning with a letter or digit."
                )
                % {"label": word.strip()[:60], "longest": LONGEST}
            )
        found.add(label)
    if len(found) > MOST:
        raise LabelInvalid
    return sorted(found)


def split(text: str) -> list[str]:
    """What a person typed, split at commas, semicolons and lines."""
    return [part.strip() for part in re.split(r"[,;\n]+", text) if part.strip()]


def to_text(labels: Iterable[str]) -> str:
    """As it is stored; '' for none."""
    joined = ",".join(labels)
    return f",{joined}," if joined else ""


def from_text(text: str) -> list[str]:
    """The labels in a stored text."""
    return [label for label in text.split(",") if label]
