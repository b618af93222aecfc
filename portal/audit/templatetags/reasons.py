"""Reasons in words, for templates: `{% load reasons %}`."""

from __future__ import annotations

from django import template

from portal.audit.reasons import reason_in_words

register = template.Library()
register.filter("reason_in_words", reason_in_words)
