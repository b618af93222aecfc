"""How forms' widgets are written: as Django writes them, but select boxes without templates for each of their choices.

A list of members or of what may stand in the record has a hundred choices, and Django includes two templates for each:
a fifth of the page's time.
"""

from __future__ import annotations

from typing import Any

from django.forms.renderers import DjangoTemplates
from django.forms.widgets import Select
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe


class Renderer(DjangoTemplates):
    """Django's own, but for select boxes."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> str:
        """The widget of `context` as HTML."""
        if template_name == Select.template_name:
            return _select(context["widget"])
        return super().render(template_name, context, request)


def _select(widget: dict[str, Any]) -> SafeString:
    parts = [f'<select name="{conditional_escape(widget["name"])}"{_attributes(widget)}>']
    for group, choices, _index in widget["optgroups"]:
        if group:
            parts.append(f'<optgroup label="{conditional_escape(str(group))}">')
        for choice in choices:
            value, label = conditional_escape(str(choice["value"])), conditional_escape(choice["label"])
            parts.append(f'<option value="{value}"{_attributes(choice)}>{label}</option>')
        if group:
            parts.append("</optgroup>")
    parts.append("</select>")
    return mark_safe("\n".join(parts))  # noqa: S308 - every value is escaped above


def _attributes(widget: dict[str, Any]) -> str:
    """As django/forms/widgets/attrs.html: one that is true has no value."""
    return "".join(
        f" {name}" if value is True else f' {name}="{conditional_escape(str(value))}"'
        for name, value in widget["attrs"].items()
        if value is not False
    )
