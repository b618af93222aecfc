"""Moments in words that stand alone, as in a mail: day, time and time zone."""

from __future__ import annotations

from django import template

from portal.ui import times

register = template.Library()
register.filter("exactly", times.exact)
