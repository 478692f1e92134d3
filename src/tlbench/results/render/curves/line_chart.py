"""Draws charts of lines over a logarithmic or linear axis as SVG. Equal charts give equal bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tlbench.results.render.escaping import printable

_WIDTH, _LEFT, _RIGHT = 860, 64, 300
"""Width of the image, and of its margins for the scale and for the names of lines, in pixels."""
_PLOT_HEIGHT, _TOP, _BOTTOM, _LINE = 260, 44, 52, 20
_NAME_LENGTH = 38
_TICKS = 5
# The colours of Okabe and Ito, which people with impaired colour vision tell apart, without yellow.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_STYLE = "text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:14px}.scale{fill:#666}"


@dataclass(frozen=True)
class ChartPoint:
    """A point with its interval, if it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ChartLine:
    """A line of a chart."""

    name: str
    points: Sequence[ChartPoint]
    is_dashed: bool = False
    width: float = 2


@dataclass(frozen=True)
class LineChart:
    """A chart of several lines."""

    title: str
    lines: Sequence[ChartLine]
    marks: Sequence[float]
    """Values of the horizontal axis that are labelled, in ascending order; the first and last are its ends."""
    x_title: str
    x_label: Callable[[float], str]
    y_label: Callable[[float], str]
    is_logarithmic: bool = True
    """Whether the horizontal axis is logarithmic; otherwise it is linear."""


def drawn(charts: Sequence[LineChart]) -> str:
    """Returns an SVG with the charts below each other."""
    heights = [max(_PLOT_HEIGHT, _LINE * len(chart.lines)) + _TOP + _BOTTOM for chart in charts]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {sum(heights)}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{sum(heights)}" fill="#fff"/>',
    ]
    for number, chart in enumerate(charts):
        parts.append(f'<g transform="translate(0 {sum(heights[:number])})">')
        parts += _panel(chart)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(chart: LineChart) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, _TOP + _PLOT_HEIGHT
    ticks = _ticks(chart)
    position = math.log if chart.is_logarithmic else float
    place = _scaled(position(chart.marks[0]), position(chart.marks[-1]), _LEFT + 12, right - 12)

    def x(value: float) -> float:
        return place(position(value))

    y = _scaled(ticks[0], ticks[-1], bottom, _TOP)
    yield _text(_LEFT, 20, chart.title, "title")
    for tick in ticks:
        yield f'<path d="M{_LEFT} {y(tick):.1f}H{right}" stroke="#ddd"/>'
        yield _text(_LEFT - 8, y(tick) + 4, chart.y_label(tick), "scale", "end")
    last = -math.inf
    for mark in chart.marks:
        at = x(mark)
        yield f'<path d="M{at:.1f} {bottom}v5" stroke="#666"/>'
        # Numbers that would overlap the one before are left out.
        if at - last > 44:
            yield _text(at, bottom + 20, chart.x_label(mark), "scale", "middle")
            last = at
    yield _text((_LEFT + right) / 2, bottom + 40, chart.x_title, "scale", "middle")
    for number, line in enumerate(chart.lines):
        yield from _line(line, _COLOURS[number % len(_COLOURS)], x, y)
        yield from _key(line, _COLOURS[number % len(_COLOURS)], right + 16, _TOP + 8 + _LINE * number)


def _line(line: ChartLine, colour: str, x: Callable[[float], float], y: Callable[[float], float]) -> Iterator[str]:
    at = [(x(point.x), y(point.y)) for point in line.points]
    path = "L".join(f"{left:.1f} {top:.1f}" for left, top in at)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{line.width:g}"{_dashes(line)}/>'
    for point, (left, top) in zip(line.points, at, strict=True):
        if point.low is not None and point.high is not None:
            yield f'<path d="M{left:.1f} {y(point.low):.1f}V{y(point.high):.1f}" stroke="{colour}" opacity="0.5"/>'
        yield f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3" fill="{colour}"/>'


def _key(line: ChartLine, colour: str, left: float, top: float) -> Iterator[str]:
    yield f'<path d="M{left} {top}h22" stroke="{colour}" stroke-width="{line.width:g}"{_dashes(line)}/>'
    yield _text(left + 28, top + 4, line.name)


def _dashes(line: ChartLine) -> str:
    return ' stroke-dasharray="5 4"' if line.is_dashed else ""


def _ticks(chart: LineChart) -> list[float]:
    """Returns round values that enclose all points and intervals."""
    points = [point for line in chart.lines for point in line.points]
    values = [value for one in points for value in (one.y, one.low, one.high) if value is not None]
    low, high = min(values), max(values)
    # The largest of 1, 2 and 5 times a power of ten with which there are enough ticks.
    rough = max(high - low, 1e-9) / (_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step + 1e-9), max(math.ceil(high / step - 1e-9), math.floor(low / step + 1e-9) + 1)
    return [number * step for number in range(first, last + 1)]


def _scaled(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    # A single mark stands at the start.
    return lambda value: start + (value - low) / ((high - low) or 1) * (end - start)


def _text(left: float, top: float, text: str, style: str = "", anchor: str = "") -> str:
    attributes = (f' class="{style}"' if style else "") + (f' text-anchor="{anchor}"' if anchor else "")
    shown = printable(text, _NAME_LENGTH if not style else 120)
    return f'<text x="{left:.1f}" y="{top:.1f}"{attributes}>{escape(shown, quote=False)}</text>'
