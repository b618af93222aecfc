"""Template tags of the design system (templates/README.md lists them). Loaded for every template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _

from portal.ui import charts, navigation, times
from portal.ui.badges import badge_of
from portal.ui.icons import ICONS

register = template.Library()


# --- Small marks --------------------------------------------------------------------------------------------------


@register.simple_tag
def icon(name: str, label: str = "", size: str = "") -> SafeString:
    """The icon `name` as inline SVG: hidden from screen readers, unless `label` says what it means.

    `size`: "" (in step with the text), "sm", "lg", "xl". A name that does not exist is a mistake of ours: KeyError.
    """
    classes = f"icon icon-{size}" if size else "icon"
    inner = mark_safe(ICONS[name])  # noqa: S308 - our own drawing
    if label:
        return format_html(
            '<svg class="{}" viewBox="0 0 20 20" role="img" aria-label="{}">{}</svg>', classes, label, inner
        )
    return format_html('<svg class="{}" viewBox="0 0 20 20" aria-hidden="true">{}</svg>', classes, inner)


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

    `style`: "relative", "date", "exact". The script turns the exact time into the reader's own time zone.
    """
    if moment is None:
        return format_html('<span class="muted">{}</span>', empty or _("Never"))
    exact = times.exact(moment)
    if style == "exact":
        words = exact
    elif style == "date":
        words = times.day(moment)
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


# --- Charts -------------------------------------------------------------------------------------------------------


@register.simple_tag
def sparkline(values: Iterable[object], label: str, tone: str = "") -> SafeString:
    """A small line of `values`, as high as a row of a table; `label` says what it shows."""
    found = charts.numbers(values)
    top = max(found, default=0)
    points = charts.line_points(found, charts.SPARK_WIDTH, charts.SPARK_HEIGHT, top)
    counted = {"label": label, "total": charts.said(sum(found)), "top": charts.said(top)}
    words = _("%(label)s: %(total)s in all, at most %(top)s") % counted
    return mark_safe(  # noqa: S308 - a template of ours
        render_to_string(
            "components/sparkline.html",
            {
                "width": charts.SPARK_WIDTH,
                "height": charts.SPARK_HEIGHT,
                "line": charts.path(points),
                "area": charts.area(points, charts.SPARK_HEIGHT),
                "label": words if found else label,
                "tone": tone,
                "flat": not top,
            },
        )
    )


def _chart(kind: str, points: Iterable[Sequence[Any]], label: str, unit: str, tone: str) -> SafeString:
    pairs = [(str(point[0]), charts.numbers([point[1]])[0]) for point in points]
    peak = max((value for _label, value in pairs), default=0)
    top = charts.nice_ceiling(peak)
    spots = charts.line_points([value for _label, value in pairs], charts.CHART_WIDTH, charts.CHART_HEIGHT, top)
    context = {
        "kind": kind,
        "label": label,
        "unit": unit,
        "tone": tone,
        "pairs": pairs,
        "top": top,
        "half": top / 2 if top > 1 else "",
        "total": sum(value for _label, value in pairs),
        "width": charts.CHART_WIDTH,
        "height": charts.CHART_HEIGHT,
        "middle": charts.CHART_HEIGHT / 2,
        "bars": charts.bars(pairs, charts.CHART_WIDTH, charts.CHART_HEIGHT, top) if kind == "bar" else [],
        "line": charts.path(spots),
        "area": charts.area(spots, charts.CHART_HEIGHT),
    }
    return mark_safe(render_to_string("components/chart.html", context))  # noqa: S308 - a template of ours


@register.simple_tag
def bar_chart(points: Iterable[Sequence[Any]], label: str, unit: str = "", tone: str = "") -> SafeString:
    """Bars for `points`, pairs of words and number; the same as a table for screen readers."""
    return _chart("bar", points, label, unit, tone)


@register.simple_tag
def line_chart(points: Iterable[Sequence[Any]], label: str, unit: str = "", tone: str = "") -> SafeString:
    """A line for `points`, pairs of words and number; the same as a table for screen readers."""
    return _chart("line", points, label, unit, tone)


# --- Addresses ----------------------------------------------------------------------------------------------------


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


# --- Navigation ---------------------------------------------------------------------------------------------------


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
    user = request.user
    companies = getattr(request, "companies_to_switch_to", None)
    if companies is None:
        memberships = (
            list(user.memberships.select_related("company").order_by("company__name")) if user.is_authenticated else []
        )
        companies = [membership.company for membership in memberships if membership.company.state != "closed"]
        request.companies_to_switch_to = companies  # a page has two switchers: one for narrow screens
    return {"company": getattr(request, "company", None), "companies": companies}


# --- Boxes that hold other markup ---------------------------------------------------------------------------------


def _box(name: str, content: str, **values: Any) -> SafeString:
    return mark_safe(render_to_string(f"components/{name}.html", {"content": content, **values}))  # noqa: S308


@register.simple_block_tag
def card(content: str, title: object = "", lead: object = "", icon: str = "", url: str = "", link: object = "",
         tone: str = "", flush: bool = False, id: str = "") -> SafeString:  # noqa: A002  # fmt: skip
    """A box with an optional heading, a line of explanation and one link at the right. `flush`: no inner padding."""
    return _box("card", content, title=title, lead=lead, icon=icon, url=url, link=link, tone=tone, flush=flush, id=id)


@register.simple_block_tag
def alert(content: str, tone: str = "info", title: object = "") -> SafeString:
    """A note that matters now: tone info, success, warning or danger."""
    return _box("alert", content, tone=tone, title=title)


@register.simple_block_tag
def dialog(content: str, id: str, title: object, lead: object = "", tone: str = "") -> SafeString:  # noqa: A002
    """A native <dialog>, opened by any link or button with `data-dialog="<id>"`.

    The opener is a link to a page with the same form, so that it works without the script.
    """
    return _box("dialog", content, id=id, title=title, lead=lead, tone=tone)


@register.simple_block_tag
def tabs(content: str, label: object) -> SafeString:
    """Tabs that work without the script: a group of radio buttons. Holds `tab` blocks; `label` names the group."""
    return _box("tabs", content, label=label)


@register.simple_block_tag
def tab(content: str, group: str, value: str, label: object, checked: bool = False, icon: str = "") -> SafeString:
    """One tab of the group `group`. The first, or the one that is `checked`, is open."""
    return _box("tab", content, group=group, value=value, label=label, checked=checked, icon=icon)


@register.simple_block_tag
def menu(content: str, label: object, icon: str = "more", text: object = "") -> SafeString:
    """A menu that opens on click: <details> with links and buttons of class `menu-item`."""
    return _box("menu", content, label=label, icon=icon, text=text)


# --- Forms --------------------------------------------------------------------------------------------------------


@register.filter
def widget_kind(field: Any) -> str:
    """Which markup a bound field needs: input, textarea, select, checkbox, radio, checks, file, date or hidden."""
    widget = field.field.widget
    if widget.is_hidden:
        return "hidden"
    kind = getattr(widget, "input_type", "") or ""
    if getattr(widget, "allow_multiple_selected", False) and kind == "checkbox":
        return "checks"
    return {"checkbox": "checkbox", "radio": "radio", "select": "select", "file": "file"}.get(
        kind, "textarea" if not kind else "input"
    )


@register.simple_tag
def widget(field: Any, **attributes: Any) -> SafeString:
    """The widget of a bound field with our class, tied to its help and its error for screen readers.

    Names of `attributes` are written with _ for -: `{% widget field data_strength="1" %}`.
    """
    given = {name.replace("_", "-"): value for name, value in attributes.items()}
    described = [given.pop("aria-describedby", ""), field.field.widget.attrs.get("aria-describedby", "")]
    if field.help_text:
        described.append(f"{field.auto_id}_helptext")
    if field.errors:
        described.append(f"{field.auto_id}_error")
        given["aria-invalid"] = "true"
    words = " ".join(dict.fromkeys(part for part in described if part))
    if words:
        given["aria-describedby"] = words
    classes = {"input": "input", "textarea": "input textarea", "select": "input select", "file": "input"}.get(
        widget_kind(field), ""
    )
    own = field.field.widget.attrs.get("class", "")
    if classes or own:
        given["class"] = f"{classes} {own}".strip()
    return field.as_widget(attrs=given)


@register.filter
def is_optional(field: Any) -> bool:
    """Whether a bound field may stay empty (a lone checkbox is not called optional)."""
    return not field.field.required and widget_kind(field) != "checkbox"
