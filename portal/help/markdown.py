"""A document of docs/ as HTML for the portal's pages: no raw HTML, links within the portal, code that can be copied."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Any

from django.template.loader import render_to_string
from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

# Of a link's address in a document: where the same is in the portal; None: it is not there, and the words stand alone.
Locate = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its anchor, and the words below it up to the next."""

    level: int
    title: str
    anchor: str
    text: str = ""


@dataclass(slots=True)
class Document:
    """A document, ready to be shown: `sections` begin with the document itself (level 1, no anchor)."""

    title: str
    lead: str
    html: str
    sections: list[Section] = field(default_factory=list)


class _Renderer(RendererHTML):
    """Our code boxes, and tables that scroll by themselves."""

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """A block of code with a button that copies it."""
        token = tokens[idx]
        return render_to_string("components/code.html", {"code": token.content.rstrip("\n"), "language": token.info})

    code_block = fence

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """A wide table scrolls within itself; by keyboard too."""
        label = escape(str(env.get("table_label", "")))
        return f'<div class="docs-table" tabindex="0" role="group" aria-label="{label}"><table>'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """The end of such a table."""
        return "</table></div>"


def read(source: str, *, link: Locate, image: Locate, table_label: str = "") -> Document:
    """The document `source`. Its first heading is the title, the paragraph after it the lead if it is plain text."""
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable(["table", "strikethrough"])
    tokens = parser.parse(source)
    title = ""
    if len(tokens) > 1 and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        title, tokens = _plain(tokens[1]), tokens[3:]
    for opening, words, closing in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if opening.type == "th_open" and not words.content.strip():  # a heading without words is none
            opening.tag = closing.tag = "td"
    for token in tokens:
        if align := token.attrs.pop("style", None):  # of a table's cell: the policy allows no style attributes
            token.attrSet("class", str(align).replace("text-align:", "align-"))
        if token.children:
            token.children = _rewritten(token.children, link, image)
    sections = _sections(title, tokens)
    html = parser.renderer.render(tokens, parser.options, {"table_label": table_label})
    lead = next(
        (_plain(words) for opening, words in pairwise(tokens) if opening.type == "paragraph_open"),
        "",
    )
    return Document(title, lead, str(html), sections)


def _sections(title: str, tokens: list[Token]) -> list[Section]:
    """The document by headings; gives each heading its anchor."""
    found = [(1, title, "", list[str]())]
    used: set[str] = set()
    inside = False
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            words = _plain(following)
            anchor = _unused(slugify(words) or "section", used)
            token.attrSet("id", anchor)
            found.append((int(token.tag[1]), words, anchor, []))
            inside = True
        elif token.type == "heading_close":
            inside = False
        elif not inside and token.type in {"inline", "fence", "code_block"}:
            found[-1][3].append(_plain(token))
    return [Section(level, words, anchor, " ".join(" ".join(texts).split())) for level, words, anchor, texts in found]


def _unused(name: str, used: set[str]) -> str:
    number, anchor = 1, name
    while anchor in used:
        number += 1
        anchor = f"{name}-{number}"
    used.add(anchor)
    return anchor


def _plain(token: Token) -> str:
    if token.children is None:
        return token.content
    return re.sub(r"\s+", " ", "".join(_words(child) for child in token.children)).strip()


def _words(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return " "
    return token.content


def _rewritten(tokens: list[Token], link: Locate, image: Locate) -> list[Token]:
    """`tokens` with the addresses of the portal; a link or picture that is not there leaves its words."""
    kept: list[Token] = []
    dropped = 0
    for token in tokens:
        if token.type == "link_open":
            address = link(str(token.attrGet("href") or ""))
            if address is None:
                dropped += 1
                continue
            token.attrSet("href", address)
        elif token.type == "link_close" and dropped:
            dropped -= 1
            continue
        elif token.type == "image":
            address = image(str(token.attrGet("src") or ""))
            if address is None:
                kept.append(Token("text", "", 0, content=token.content))
                continue
            token.attrSet("src", address)
            token.attrSet("loading", "lazy")
        kept.append(token)
    return kept
