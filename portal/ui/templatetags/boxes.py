"""Boxes that hold other markup."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


def _box(name: str, content: str, **values: Any) -> SafeString:
    return mark_safe(render_to_string(f"components/{name}.html", {"content": content, **values}))  # noqa: S308


@register.simple_block_tag
def held(content: str) -> str:
    """Its content, drawn once and held by `as`, for what a page shows in two places."""
    return content


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
