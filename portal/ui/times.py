"""How far a moment is from now, in words. Each unit is a sentence of its own: cases and plurals differ by language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
Words = Callable[[int], str]

# Seconds of a unit → how it reads in the past, and ahead. The first that fits is said.
_UNITS: Final[tuple[tuple[int, Words, Words], ...]] = (
    (365 * _DAY, lambda n: ngettext("%(count)d year ago", "%(count)d years ago", n),
     lambda n: ngettext("in %(count)d year", "in %(count)d years", n)),
    (30 * _DAY, lambda n: ngettext("%(count)d month ago", "%(count)d months ago", n),
     lambda n: ngettext("in %(count)d month", "in %(count)d months", n)),
    (7 * _DAY, lambda n: ngettext("%(count)d week ago", "%(count)d weeks ago", n),
     lambda n: ngettext("in %(count)d week", "in %(count)d weeks", n)),
    (_DAY, lambda n: ngettext("%(count)d day ago", "%(count)d days ago", n),
     lambda n: ngettext("in %(count)d day", "in %(count)d days", n)),
    (_HOUR, lambda n: ngettext("%(count)d hour ago", "%(count)d hours ago", n),
     lambda n: ngettext("in %(count)d hour", "in %(count)d hours", n)),
    (_MINUTE, lambda n: ngettext("%(count)d minute ago", "%(count)d minutes ago", n),
     lambda n: ngettext("in %(count)d minute", "in %(count)d minutes", n)),
)  # fmt: skip


def relative(moment: datetime) -> str:
    """How far `moment` is from now: "3 hours ago", "in 5 days", "just now"."""
    seconds = (moment - timezone.now()).total_seconds()
    for length, past, ahead in _UNITS:
        if abs(seconds) >= length:
            count = int(abs(seconds) // length)
            words = (past if seconds < 0 else ahead)(count) % {"count": count}
            return words.replace(f"{count} ", f"{count}\N{NO-BREAK SPACE}", 1)
    return _("just now") if seconds <= 0 else _("in less than a minute")


def day(moment: datetime) -> str:
    """The day of `moment`: "25 November 2026"."""
    return _day(timezone.localtime(moment).date(), get_language() or "")


@lru_cache(maxsize=2048)
def _day(found: date, _language: str) -> str:
    """A list shows the same few days again and again, and Django takes each of its letters apart."""
    return str(date_format(found, pgettext("a date, by the letters of Django's date filter", "j F Y")))


def short_day(found: date) -> str:
    """A day where the year is clear, as below a chart: "25 Nov"."""
    return _short_day(found, get_language() or "")


@lru_cache(maxsize=2048)
def _short_day(found: date, _language: str) -> str:
    return str(date_format(found, pgettext("a day without its year, by the letters of Django's date filter", "j M")))


def clock(moment: datetime) -> str:
    """The time of `moment`, where the day stands above it: "22:10"."""
    return f"{timezone.localtime(moment):%H:%M}"


def exact(moment: datetime) -> str:
    """The day, time and zone of `moment`: "25 November 2026, 22:10 UTC"."""
    local = timezone.localtime(moment)
    return f"{_day(local.date(), get_language() or '')}, {local:%H:%M} {local.tzname()}"
