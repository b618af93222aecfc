"""A language in which every translated piece stands in brackets: what stands outside of them went past gettext."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser

from django.test import override_settings
from django.utils.translation import trans_real

CODE = "eo"  # one that Django knows and the portal does not offer, so that nothing kept by language holds brackets
SEPARATOR = "\x04"  # of a text from its context
PLACEHOLDER = re.compile(r"(%\(\w+\)[a-z]|\{\w*\})")
# Their text is a machine's, a person's own, or an English document's; <bdi> is around names.
NOT_WORDS = {"code", "pre", "bdi", "script", "style", "svg", "template", "kbd"}
SHOWN = ("title", "alt", "placeholder", "aria-label", "data-label")
VOID = {"input", "img", "br", "hr", "meta", "link", "source", "col", "wbr"}


class Marked:
    """What Django looks translations up in. Values of placeholders stand outside of the brackets, to be looked at."""

    def gettext(self, message: str) -> str:
        """`message` in brackets; letters of a date's form as they are."""
        context, _, text = message.rpartition(SEPARATOR)
        return text if "date filter" in context else "⟦" + PLACEHOLDER.sub(r"⟧\1⟦", text) + "⟧"

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        """The English one of the two."""
        return self.gettext(singular if number == 1 else plural)

    def to_language(self) -> str:
        """Its code."""
        return CODE


@contextmanager
def marked_language() -> Iterator[None]:
    """Pages can be had in the language CODE."""
    with override_settings(LANGUAGES=[("en", "English"), (CODE, "Marked")]):  # which forgets all translations
        trans_real._translations[CODE] = Marked()
        yield


class _Outside(HTMLParser):
    """What of a page a person reads, in its texts and attributes, and does not stand in brackets."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[tuple[str, bool]] = []
        self.inside = 0  # brackets that are open: a translation may hold elements

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        named = {"mono"} & set(given.get("class", "").split()) or given.get("translate") == "no"
        if tag not in VOID:
            self.open.append((tag, tag in NOT_WORDS or bool(named) or given.get("lang") == "en"))
        shown = [given[name] for name in SHOWN if name in given]
        if tag == "meta" and given.get("name") == "description":
            shown.append(given.get("content", ""))
        if not any(skip for _tag, skip in self.open):
            self.found += [re.sub(r"⟦[^⟧]*⟧", " ", text) for text in shown]

    def handle_endtag(self, tag: str) -> None:
        while any(name == tag for name, _skip in self.open) and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        outside = []
        for part in re.split("([⟦⟧])", data):
            if part in {"⟦", "⟧"}:
                self.inside += 1 if part == "⟦" else -1
            elif not self.inside:
                outside.append(part)
        if not any(skip for _tag, skip in self.open):
            self.found.append(" ".join(outside))


def past_gettext(page: str) -> Iterator[str]:
    """What stands outside of brackets in the texts of a page and has a word in it."""
    outside = _Outside()
    outside.feed(page)
    assert outside.inside == 0
    for text in outside.found:
        if re.search(r"[A-Za-z]{3}", text):
            yield " ".join(text.split())
