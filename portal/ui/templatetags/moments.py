"""Moments in words that stand alone, as in a mail: day, time and time zone."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format

register = template.Library()


@register.filter
def exactly(moment: datetime) -> str:
    """`moment` as "25 November 2026, 22:10 UTC": month in the reader's language, time zone named."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'j F Y, H:i')} {local.tzname()}"
