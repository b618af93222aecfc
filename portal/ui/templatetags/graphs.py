"""Charts, each with its numbers in words for screen readers; portal/ui/charts.py reckons them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from portal.ui import charts

register = template.Library()


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
