"""Scopes in words, for templates: `{% load key_words %}`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone

from keys import lifetimes, words
from portal.companies.models import Membership

register = template.Library()
register.filter("scope_summary", words.scope_summary)
register.filter("tools_of", words.tools_of)
register.filter("end_of", lifetimes.end_of)

SOON = timedelta(days=7)


@register.filter
def may(membership: Membership, act: str) -> bool:
    """Whether the member may do `act` (portal/companies/roles.py)."""
    return membership.may(act)


@register.filter
def of(things: dict[str, Any], name: str) -> Any:
    """What belongs to `name`: the numbers of a key, the picture of a choice; None if it has none."""
    return things.get(name)


@register.filter
def is_soon(moment: datetime | None) -> bool:
    """Whether `moment` lies within the next seven days."""
    return moment is not None and timezone.now() < moment <= timezone.now() + SOON
