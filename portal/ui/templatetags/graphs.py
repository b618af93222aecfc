"""Charts, each with its numbers in words for screen readers; portal/ui/charts.py reckons them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from portal.ui import charts

register = template.Library()
_BAR: Final = '<rect class="chart-bar" x="{}" y="{}" width="{}" height="{}"><title>{}: {}{}</title></rect>'
_SPARK: Final = '<svg class="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
_LINE: Final = '<path class="chart-area" d="{}"/><path class="chart-line" d="{}"/>'
_FLAT: Final = '<path class="chart-base" d="M0 {}H{}"/>'
_ROW: Final = '<tr><th scope="row">{}</th><td>{}</td></tr>'


@register.simple_tag
def sparkline(values: Iterable[object], label: str, tone: str = "") -> SafeString:
    """A small line of `values`, as high as a row of a table; `label` says what it shows."""
    found = charts.numbers(values)
    top = max(found, default=0)
    points = charts.line_points(found, charts.SPARK_WIDTH, charts.SPARK_HEIGHT, top)
    counted = {"label": label, "total": charts.said(sum(found)), "top": charts.said(top)}
    words = _("%(label)s: %(total)s in all, at most %(top)s") % counted
    if top:
        path = charts.path(points)
        line = format_html(_LINE, charts.area(points, path, charts.SPARK_HEIGHT), path)
    else:
        line = format_html(_FLAT, charts.SPARK_HEIGHT - 1, charts.SPARK_WIDTH)
    return format_html(
        _SPARK,
        f"sparkline chart-{tone}" if tone else "sparkline",
        charts.SPARK_WIDTH,
        charts.SPARK_HEIGHT,
        words if found else label,
        line,
    )


def _chart(kind: str, points: Iterable[Sequence[Any]], label: str, unit: str, tone: str) -> SafeString:
    labels, values = [], []
    for point in points:
        labels.append(str(point[0]))
        values += charts.numbers([point[1]])
    said = [charts.said(value) for value in values]
    top = charts.nice_ceiling(max(values, default=0))
    spots = charts.line_points(values, charts.CHART_WIDTH, charts.CHART_HEIGHT, top)
    line = charts.path(spots)
    context = {
        "kind": kind,
        "label": label,
        "unit": unit,
        "tone": tone,
        "ends": (labels[0], labels[-1]) if labels else (),
        "rows": format_html_join("", _ROW, zip(labels, said, strict=True)),
        "top": top,
        "half": top / 2 if top > 1 else "",
        "width": charts.CHART_WIDTH,
        "height": charts.CHART_HEIGHT,
        "middle": charts.CHART_HEIGHT / 2,
        "bars": _bars(labels, values, said, unit, top) if kind == "bar" else "",
        "line": line,
        "area": charts.area(spots, line, charts.CHART_HEIGHT),
    }
    return mark_safe(render_to_string("components/chart.html", context))  # noqa: S308 - a template of ours


def _bars(labels: list[str], values: list[float], said: list[str], unit: str, top: float) -> SafeString:
    """The bars with their words. Here, not in the template: a quarter's ninety took it a third of the page's time."""
    places = charts.bars(values, charts.CHART_WIDTH, charts.CHART_HEIGHT, top)
    after = f" {unit}" if unit else ""
    return format_html_join(
        "",
        _BAR,
        (
            (bar.x, bar.y, bar.width, bar.height, label, words, after)
            for bar, label, words in zip(places, labels, said, strict=True)
        ),
    )


@register.simple_tag
def bar_chart(points: Iterable[Sequence[Any]], label: str, unit: str = "", tone: str = "") -> SafeString:
    """Bars for `points`, pairs of words and number; the same as a table for screen readers."""
    return _chart("bar", points, label, unit, tone)


@register.simple_tag
def line_chart(points: Iterable[Sequence[Any]], label: str, unit: str = "", tone: str = "") -> SafeString:
    """A line for `points`, pairs of words and number; the same as a table for screen readers."""
    return _chart("line", points, label, unit, tone)
