"""Where a page is and where it leads: addresses, and the sidebars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString, mark_safe

from portal.companies.access import own_memberships
from portal.ui import navigation

register = template.Library()


@register.simple_tag
def url_or_none(name: str, *args: Any, **kwargs: Any) -> str | None:
    """The address of the URL `name`, or None if there is no such page."""
    try:
        return reverse(name, args=args, kwargs=kwargs)
    except NoReverseMatch:
        return None


@register.simple_tag(takes_context=True)
def active(context: dict[str, Any], url_name: str) -> SafeString:
    """`aria-current="page"` on the page `url_name`."""
    here = getattr(getattr(context.get("request"), "resolver_match", None), "view_name", "")
    return mark_safe('aria-current="page"' if here == url_name else "")  # noqa: S308 - our own words


@register.simple_tag(takes_context=True)
def querystring_with(context: dict[str, Any], **changes: Any) -> str:
    """This page's query string with `changes` made (None or "" takes a name out): `?page=2&q=acme`."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = value
    return f"?{query.urlencode()}"


def _entries(request: HttpRequest, entries: Sequence[navigation.Entry]) -> list[dict[str, Any]]:
    """Those that exist and that this member may open; the one whose room the page stands in is current.

    The first entry is the start of all others' addresses: it is current on its own page alone.
    """
    membership = getattr(request, "membership", None)
    company = getattr(request, "company", None)
    shown: list[dict[str, Any]] = []
    for entry in entries:
        address = url_or_none(entry.url_name, company.slug) if company and entry.act else url_or_none(entry.url_name)
        if address and (not entry.act or (membership and membership.may(entry.act))):
            inside = entry is not entries[0] and request.path.startswith(address)
            shown.append({"entry": entry, "url": address, "inside": inside or request.path == address})
    rooms = [item["url"] for item in shown if item["inside"]]
    return [{**item, "active": item["url"] == max(rooms, key=len, default="")} for item in shown]


@register.inclusion_tag("components/nav.html", takes_context=True)
def company_nav(context: dict[str, Any]) -> dict[str, Any]:
    """The sidebar of a company's pages; empty where the page belongs to no company."""
    request = context["request"]
    return {"items": _entries(request, navigation.COMPANY) if getattr(request, "company", None) else []}


@register.inclusion_tag("components/nav.html", takes_context=True)
def staff_nav(context: dict[str, Any]) -> dict[str, Any]:
    """The sidebar of the staff's pages."""
    return {"items": _entries(context["request"], navigation.STAFF)}


@register.inclusion_tag("components/company_switcher.html", takes_context=True)
def company_switcher(context: dict[str, Any]) -> dict[str, Any]:
    """The company that the page belongs to, and the user's other ones to change to."""
    request = context["request"]
    memberships = own_memberships(request) if request.user.is_authenticated else []
    companies = [membership.company for membership in memberships]
    return {"company": getattr(request, "company", None), "companies": companies}
