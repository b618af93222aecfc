"""Charts as inline SVG, drawn here: no script, and words for those who do not see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.formats import number_format

SPARK_WIDTH, SPARK_HEIGHT = 120, 32
CHART_WIDTH, CHART_HEIGHT = 600, 160
_PAD = 2


@dataclass(frozen=True)
class Bar:
    """One bar: its place in the picture."""

    x: float
    y: float
    width: float
    height: float


def numbers(values: Iterable[object]) -> list[float]:
    """`values` as numbers; what is missing counts as 0."""
    return [float(value or 0) for value in values]  # type: ignore[arg-type]


def said(value: float) -> str:
    """`value` as the reader's language writes numbers: "1,234,567", "0.5"."""
    if 0 <= value < 1000 and value == int(value):
        return str(int(value))  # in every language of ours; Django takes twenty times as long to find out
    return str(number_format(int(value) if value == int(value) else round(value, 1), force_grouping=True))


def nice_ceiling(value: float) -> int:
    """The least good top for an axis that `value` does not pass: of few digits, and so is the half of it."""
    step = 1
    while True:
        for tenths in (10, 20, 40, 60, 80) if step == 1 else (10, 12, 16, 20, 24, 30, 40, 50, 60, 80):
            if value <= tenths * step / 10:
                return tenths * step // 10
        step *= 10


def line_points(values: Sequence[float], width: float, height: float, top: float) -> list[tuple[float, float]]:
    """Where the line goes, from left to right; `top` is the value at the upper edge."""
    if not values:
        return []
    if len(values) == 1:
        values = [values[0], values[0]]
    gap = width / (len(values) - 1)
    usable = height - 2 * _PAD
    return [
        (round(index * gap, 1), round(height - _PAD - usable * value / (top or 1), 1))
        for index, value in enumerate(values)
    ]


def path(points: Sequence[tuple[float, float]]) -> str:
    """The points as an SVG path."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if points else ""


def area(points: Sequence[tuple[float, float]], line: str, height: float) -> str:
    """The path `line` of the points, closed down to the base line."""
    return f"{line}L{points[-1][0]:g} {height:g}L{points[0][0]:g} {height:g}Z" if points else ""


def bars(values: Sequence[float], width: float, height: float, top: float) -> list[Bar]:
    """One bar a value, with a gap of a quarter between them. A value above 0 is always seen."""
    if not values:
        return []
    slot = width / len(values)
    gap = min(slot * 0.25, 8)
    result = []
    for index, value in enumerate(values):
        tall = max(round(height * value / (top or 1), 1), 2.0) if value else 0.0
        x, wide = round(index * slot + gap / 2, 1), round(slot - gap, 1)
        result.append(Bar(x, round(height - tall, 1), wide, tall))
    return result
