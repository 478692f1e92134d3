"""Draws test examples as points of two dimensions in SVG, coloured by class; wrong answers are hollow."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from tlbench.results.render.charts.chart_axes import COLOURS, scaled

_WIDTH, _HEIGHT, _MARGIN = 560, 420, 12
OTHER = "#777777"
"""Colour of the classes beyond the number of colours."""


class MapPoint(NamedTuple):
    """A test example."""

    x: float
    y: float
    """From -1 to 1."""
    group: int
    """Number of its class; -1 without classes."""
    is_right: bool
    title: str
    """What a pointer is told of the example."""


def colour_of(group: int) -> str:
    """Returns the colour of a class by its number."""
    return COLOURS[group] if 0 <= group < len(COLOURS) else OTHER


def map_svg(points: Sequence[MapPoint], label: str) -> str:
    """Returns the chart; `label` is what a screen reader is told."""
    # One scale for both directions, so that distances can be compared.
    reach = max(max(abs(point.x), abs(point.y) * _WIDTH / _HEIGHT) for point in points) or 1.0
    x = scaled(-reach, reach, _MARGIN, _WIDTH - _MARGIN)
    y = scaled(-reach * _HEIGHT / _WIDTH, reach * _HEIGHT / _WIDTH, _HEIGHT - _MARGIN, _MARGIN)
    head = f'<svg class="chart map" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
    parts = [head, f'<rect class="frame" x="1" y="1" width="{_WIDTH - 2}" height="{_HEIGHT - 2}"/>']
    for point in points:
        colour = colour_of(point.group)
        fill = f'fill="{colour}"' if point.is_right else f'fill="none" stroke="{colour}"'
        place = f'cx="{x(point.x):.1f}" cy="{y(point.y):.1f}" r="{3.5 if point.is_right else 4}"'
        parts.append(f"<circle {place} {fill}><title>{escape(point.title, quote=False)}</title></circle>")
    return "\n".join([*parts, "</svg>"])
