"""Mails: written once, as text; their HTML is made from it, so that the two never say different things."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.template.loader import render_to_string

_LINK = re.compile(r"https?://\S+").fullmatch
_CODE = re.compile(r"[A-Z0-9]{3,8}(?:-[A-Z0-9]{3,8})*").fullmatch


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph: `kind` is text, link, code or list."""

    kind: str
    text: str
    lines: tuple[str, ...] = ()


def tidy(text: str) -> str:
    """`text` with one empty line between paragraphs and none at the ends."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in text.strip().splitlines())) + "\n"


def blocks(text: str) -> list[Block]:
    """The paragraphs of a mail's text. One that is only an address becomes a button, only a code a large code."""
    found = []
    for paragraph in filter(None, (part.strip() for part in text.split("\n\n"))):
        lines = paragraph.splitlines()
        if _LINK(paragraph):
            found.append(Block("link", paragraph))
        elif _CODE(paragraph):
            found.append(Block("code", paragraph))
        elif all(line.startswith("- ") for line in lines):
            found.append(Block("list", paragraph, tuple(line[2:] for line in lines)))
        else:
            found.append(Block("text", " ".join(lines)))
    return found


def html(subject: str, text: str) -> str:
    """A mail's text as HTML."""
    return render_to_string("mail/message.html", {"subject": subject, "blocks": blocks(text)})
