"""Finding words in the documents: a few hundred sections in memory, looked through for each question."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.help.library import Page, pages
from portal.help.markdown import Section

MOST: Final = 30
LONGEST_QUESTION: Final = 100
EXCERPT: Final = 220
_LEAD: Final = 60


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that holds every word of the question, and the place in it."""

    page: Page
    section: Section
    excerpt: SafeString

    @property
    def url(self) -> str:
        """Where the section is."""
        return f"{self.page.url}#{self.section.anchor}" if self.section.anchor else self.page.url


def find(question: str) -> list[Hit]:
    """The sections that hold every word of `question`, the best first: title, then heading, then text."""
    words = _folded(question[:LONGEST_QUESTION]).split()
    if not words:
        return []
    found = []
    for page in pages().values():
        title = _folded(f"{page.title} {page.name.replace('-', ' ')} {page.name}")
        for section in page.document.sections:
            heading, text = _folded(section.title), _folded(section.text)
            if not all(word in heading or word in text or word in title for word in words):
                continue
            # A section that has the words only from its page's title says nothing of its own.
            if section.anchor and not any(word in heading or word in text for word in words):
                continue
            score = sum(
                12 * (word in title and not section.anchor) + 6 * (word in heading) + min(text.count(word), 5)
                for word in words
            )
            found.append((score - 3 * ("/" in page.name), page, section))
    found.sort(key=lambda entry: -entry[0])
    return [Hit(page, section, _excerpt(section.text, words)) for _score, page, section in found[:MOST]]


def _folded(text: str) -> str:
    """`text` in small letters without accents, character for character as long as before."""
    return "".join(_plain(character) for character in text)


def _plain(character: str) -> str:
    return unicodedata.normalize("NFD", character.lower())[:1] or character


def _excerpt(text: str, words: list[str]) -> SafeString:
    """A part of `text` around the first of `words`, with all of them marked."""
    folded = _folded(text)
    places = [place for word in words if (place := folded.find(word)) >= 0]
    first = min(places, default=0)
    start = max(0, first - _LEAD)
    if start:  # at the beginning of a word, if one begins before what was found
        start = text.rfind(" ", 0, first - _LEAD // 2) + 1 or start
    part, low = text[start : start + EXCERPT], folded[start : start + EXCERPT]
    marks = sorted({(place, place + len(word)) for word in words for place in _all(low, word)})
    pieces, end = [], 0
    for begin, stop in marks:
        if begin < end:
            continue
        pieces += [(part[end:begin], part[begin:stop])]
        end = stop
    marked = format_html_join("", "{}<mark>{}</mark>", pieces)
    before, after = "… " if start else "", "…" if start + EXCERPT < len(text) else ""
    return format_html("{}{}{}{}", before, marked, part[end:], after)


def _all(text: str, word: str) -> list[int]:
    places, place = [], text.find(word)
    while place >= 0:
        places.append(place)
        place = text.find(word, place + len(word))
    return places
