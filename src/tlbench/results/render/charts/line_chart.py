"""Draws lines with intervals as SVG: scores against numbers of examples, trials or steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from tlbench.results.render.charts.chart_axes import COLOURS, round_ticks, scaled, svg_text

LEFT, TOP, BOTTOM, LINE = 64, 44, 52, 20
"""Margins of a chart, and the height of a line of its key, in pixels."""
PLOT_HEIGHT = 260
_WIDTH, _RIGHT = 560, 16
_IMAGE_WIDTH, _KEY_WIDTH = 860, 300
"""Width of an image of charts, and of its margin for the names of lines, in pixels."""
_STYLE = "text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:14px}.scale{fill:#666}"
_TICK_DISTANCE = 44


class ChartPoint(NamedTuple):
    """A point of a line, with the ends of its interval, if it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """One line of a chart."""

    name: str
    points: tuple[ChartPoint, ...]
    is_dashed: bool = False
    is_line: bool = True
    """Whether the points are joined."""
    width: float = 2


@dataclass(frozen=True)
class LineChart:
    """Lines over a common axis."""

    title: str
    x_label: str
    x_ticks: tuple[float, ...]
    """Marked values of the horizontal axis, of which the first and last are its ends."""
    y_text: Callable[[float], str]
    series: tuple[Series, ...]
    x_is_log: bool = False
    x_text: Callable[[float], str] = "{:,}".format

    def lines(self, width: int, right: int, with_key: bool) -> Iterator[str]:
        """Yields the elements of a chart of this width; `right` is the margin in which the key stands."""
        right, bottom = width - right, TOP + PLOT_HEIGHT
        value = math.log if self.x_is_log else float
        ticks = round_ticks(
            end
            for one in self.series
            for point in one.points
            for end in (point.y, point.low, point.high)
            if end is not None
        )
        x = scaled(value(self.x_ticks[0]), value(self.x_ticks[-1]), LEFT + 12, right - 12)
        y = scaled(ticks[0], ticks[-1], bottom, TOP)
        yield svg_text(LEFT, 20, self.title, "title")
        for tick in ticks:
            yield f'<path d="M{LEFT} {y(tick):.1f}H{right}" stroke="#ddd"/>'
            yield svg_text(LEFT - 8, y(tick) + 4, self.y_text(tick), "scale", "end")
        last = -math.inf
        for number in self.x_ticks:
            at = x(value(number))
            yield f'<path d="M{at:.1f} {bottom}v5" stroke="#666"/>'
            # Numbers that would overlap the one before are left out.
            if at - last > _TICK_DISTANCE:
                yield svg_text(at, bottom + 20, self.x_text(number), "scale", "middle")
                last = at
        yield svg_text((LEFT + right) / 2, bottom + 40, self.x_label, "scale", "middle")
        for number, one in enumerate(self.series):
            colour = COLOURS[number % len(COLOURS)]
            yield from _drawn(one, colour, lambda at: x(value(at)), y)
            if with_key:
                yield from _key(one, colour, right + 16, TOP + 8 + LINE * number)

    def svg(self) -> str:
        """Returns the chart without a key and without styles, which a page gives it."""
        height = TOP + PLOT_HEIGHT + BOTTOM
        label = escape(f"{self.title}, against {self.x_label}")
        head = f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">'
        return "\n".join([head, *self.lines(_WIDTH, _RIGHT, with_key=False), "</svg>"])

    @property
    def colours(self) -> Sequence[str]:
        """The colour of each line."""
        return [COLOURS[number % len(COLOURS)] for number in range(len(self.series))]


def image(charts: Sequence[LineChart]) -> str:
    """Returns an SVG file with the charts below each other; equal charts give equal bytes."""
    heights = [max(PLOT_HEIGHT, LINE * len(chart.series)) + TOP + BOTTOM for chart in charts]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_IMAGE_WIDTH} {sum(heights)}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_IMAGE_WIDTH}" height="{sum(heights)}" fill="#fff"/>',
    ]
    for number, chart in enumerate(charts):
        parts.append(f'<g transform="translate(0 {sum(heights[:number])})">')
        parts += chart.lines(_IMAGE_WIDTH, _KEY_WIDTH, with_key=True)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _drawn(one: Series, colour: str, x: Callable[[float], float], y: Callable[[float], float]) -> Iterator[str]:
    at = [(x(point.x), y(point.y)) for point in one.points]
    if one.is_line:
        path = "L".join(f"{left:.1f} {top:.1f}" for left, top in at)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{one.width:g}"{_dashes(one)}/>'
    for point, (left, top) in zip(one.points, at, strict=True):
        if point.low is not None and point.high is not None:
            yield f'<path d="M{left:.1f} {y(point.low):.1f}V{y(point.high):.1f}" stroke="{colour}" opacity="0.5"/>'
        yield f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3" fill="{colour}"/>'


def _key(one: Series, colour: str, left: float, top: float) -> Iterator[str]:
    yield f'<path d="M{left} {top}h22" stroke="{colour}" stroke-width="{one.width:g}"{_dashes(one)}/>'
    yield svg_text(left + 28, top + 4, one.name)


def _dashes(one: Series) -> str:
    return ' stroke-dasharray="5 4"' if one.is_dashed else ""
