"""Small marks in a page: icons, states, initials, moments."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Final

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _

from portal.ui import times
from portal.ui.badges import badge_of
from portal.ui.icons import ICONS

register = template.Library()
_ICON: Final = '<svg class="{}" viewBox="0 0 20 20" {}>{}</svg>'


@register.simple_tag
def icon(name: str, label: str = "", size: str = "") -> SafeString:
    """The icon `name` as inline SVG: hidden from screen readers, unless `label` says what it means.

    `size`: "" (in step with the text), "sm", "lg", "xl". A name that does not exist is a mistake of ours: KeyError.
    """
    if not label:
        return _decoration(name, size)
    return format_html(_ICON, _classes(size), format_html('role="img" aria-label="{}"', label), _drawing(name))


@cache  # a page has dozens, of a few drawings
def _decoration(name: str, size: str) -> SafeString:
    return format_html(_ICON, _classes(size), mark_safe('aria-hidden="true"'), _drawing(name))


def _classes(size: str) -> str:
    return f"icon icon-{size}" if size else "icon"


def _drawing(name: str) -> SafeString:
    return mark_safe(ICONS[name])  # noqa: S308 - our own


@register.simple_tag
def badge(value: object, label: object = "", tone: str = "") -> SafeString:
    """A state, role or verdict as a small coloured word with a dot."""
    words, usual = badge_of(value)
    return format_html('<span class="badge badge-{}">{}</span>', tone or usual, label or words)


@register.simple_tag
def avatar(name: object, size: str = "") -> SafeString:
    """The initials of `name` in a circle whose tint depends on the name. Decoration: the name stands beside it."""
    text = str(name)
    words = [word for word in text.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    letters = "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words[:1])).upper()
    tint = sum(text.encode()) % 6
    classes = f"avatar avatar-{tint}" + (f" avatar-{size}" if size else "")
    return format_html('<span class="{}" aria-hidden="true">{}</span>', classes, letters or "?")


@register.simple_tag
def when(moment: datetime | None, empty: object = "", style: str = "relative") -> SafeString:
    """`moment` as <time>: "3 hours ago" or "in 5 days" with the exact time on hover; `empty` if there is none.

    `style`: "relative", "date", "exact", "time" (below a heading that says the day, in the zone of that day). The
    script turns the exact time into the reader's own time zone.
    """
    if moment is None:
        return format_html('<span class="muted">{}</span>', empty or _("Never"))
    exact = times.exact(moment)
    if style == "exact":
        words = exact
    elif style == "date":
        words = times.day(moment)
    elif style == "time":
        words = times.clock(moment)
    else:
        words = times.relative(moment)
    return format_html(
        '<time datetime="{}" title="{}" data-time="{}">{}</time>', moment.isoformat(), exact, style, words
    )


register.filter("relative", times.relative)


@register.simple_tag
def countdown(moment: datetime) -> SafeString:
    """The time left until `moment`; the script counts it down each second."""
    left = timeuntil(moment, timezone.now(), depth=2) if moment > timezone.now() else _("ended")
    return format_html(
        '<time class="countdown" datetime="{}" title="{}" data-countdown data-ended="{}">{}</time>',
        moment.isoformat(),
        times.exact(moment),
        _("ended"),
        left,
    )
