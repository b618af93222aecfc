"""The fields of forms."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString

register = template.Library()


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
    own = " ".join(part for part in (classes, field.field.widget.attrs.get("class"), given.get("class")) if part)
    if own:
        given["class"] = own
    return field.as_widget(attrs=given)


@register.filter
def is_optional(field: Any) -> bool:
    """Whether a bound field may stay empty (a lone checkbox is not called optional)."""
    return not field.field.required and widget_kind(field) != "checkbox"
