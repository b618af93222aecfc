"""Mails: written once, as text; their HTML is made from it, so that the two never say different things.

Every mail of the portal is two templates, PREFIX_subject.txt and PREFIX_message.txt (or PREFIX.txt), put together here
in the language of its reader. /styleguide/mail/ shows each with example data (portal/ui/mail_examples.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import get_template, render_to_string, select_template
from django.utils import timezone, translation

if TYPE_CHECKING:
    from portal.accounts.models import User

_LINK = re.compile(r"(?:(?P<words>[^:\n]{2,80}): )?(?P<address>https?://\S+)").fullmatch
_CODE = re.compile(r"[A-Z0-9]{3,8}(?:-[A-Z0-9]{3,8})*").fullmatch
_FACT = re.compile(r"- ([^:]{1,40}): (.+)").fullmatch


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph: `kind` is text, link (`words` on the button), code, list, or facts (pairs of name and value)."""

    kind: str
    text: str
    lines: tuple[str, ...] = ()
    words: str = ""
    facts: tuple[tuple[str, str], ...] = ()


def tidy(text: str) -> str:
    """`text` with one empty line between paragraphs and none at the ends."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in text.strip().splitlines())) + "\n"


def blocks(text: str) -> list[Block]:
    """The paragraphs of a mail's text.

    One that is only an address, perhaps with words before it (“Look at the key: https://…”), becomes a button; only a
    code, a large code; lines that each name a fact (“- From: 203.0.113.9”), a table.
    """
    return [_block(part) for part in filter(None, (part.strip() for part in text.split("\n\n")))]


def _block(paragraph: str) -> Block:
    lines = paragraph.splitlines()
    if link := _LINK(paragraph):
        return Block("link", link["address"], words=link["words"] or "")
    if _CODE(paragraph):
        return Block("code", paragraph)
    facts = [_FACT(line) for line in lines]
    if all(facts):
        return Block("facts", paragraph, facts=tuple((fact[1], fact[2]) for fact in facts if fact))
    if all(line.startswith("- ") for line in lines):
        return Block("list", paragraph, tuple(line[2:] for line in lines))
    return Block("text", " ".join(lines))


def html(subject: str, text: str) -> str:
    """A mail's text as HTML."""
    found = blocks(text)
    preview = next((block.text for block in found if block.kind == "text" and len(block.text) > 25), "")
    context = {"subject": subject, "blocks": found, "preview": preview}
    return render_to_string("mail/message.html", context)


def language_of(person: User | None) -> str:
    """The language to write to `person` in: the one they chose, if it is offered, else the portal's own."""
    chosen = person.language if person is not None else ""
    return chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def compose(
    prefix: str,
    context: dict[str, Any],
    *,
    to: str,
    language: str,
    zone: str = "",
    sender: str | None = None,
    headers: dict[str, str] | None = None,
) -> EmailMultiAlternatives:
    """The mail `prefix` in `language`, to be sent: as text, and as HTML made from that text. Times in `zone` (UTC)."""
    with translation.override(language), timezone.override(_zone(zone)):
        context = {"PORTAL_URL": settings.PORTAL_URL} | context
        subject = " ".join(get_template(f"{prefix}_subject.txt").render(context).split())
        text = tidy(select_template([f"{prefix}_message.txt", f"{prefix}.txt"]).render(context))
        markup = html(subject, text)
    message = EmailMultiAlternatives(subject, text, sender, [to], headers=headers)
    message.attach_alternative(markup, "text/html")
    return message


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def to_person(prefix: str, person: User, context: dict[str, Any], **more: Any) -> EmailMultiAlternatives:
    """The mail `prefix` to `person`, in their language; templates know them as `person`."""
    return compose(prefix, {"person": person} | context, to=person.email, language=language_of(person), **more)
