"""Draws learning curves as SVG. Equal tables give equal bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from tlbench.results.label_efficiency.curves import LearningCurve, TaskCurves
from tlbench.results.render import value_texts as cells
from tlbench.results.render.curves.efficiency_section import EfficiencySection
from tlbench.results.render.escaping import printable

_WIDTH, _LEFT, _RIGHT = 860, 64, 300
"""Width of the image, and of its margins for the scale of scores and for the names of curves, in pixels."""
_PLOT_HEIGHT, _TOP, _BOTTOM, _LINE = 260, 44, 52, 20
_NAME_LENGTH = 38
_TICKS = 5
# The colours of Okabe and Ito, which people with impaired colour vision tell apart, without yellow.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_STYLE = "text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:14px}.scale{fill:#666}"


def drawing(sections: Sequence[EfficiencySection]) -> str:
    """Returns an SVG with a panel for each task: number of training examples, on a logarithmic scale, against score.

    Bars are 95% intervals, and curves without pretrained weights are dashed.
    """
    heights = [max(_PLOT_HEIGHT, _LINE * len(section.curves.curves)) + _TOP + _BOTTOM for section in sections]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {sum(heights)}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{sum(heights)}" fill="#fff"/>',
    ]
    for number, section in enumerate(sections):
        parts.append(f'<g transform="translate(0 {sum(heights[:number])})">')
        parts += _panel(section)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(section: EfficiencySection) -> Iterator[str]:
    task = section.curves
    right, bottom = _WIDTH - _RIGHT, _TOP + _PLOT_HEIGHT
    ends = math.log(task.sizes[0]), math.log(task.sizes[-1])
    ticks = _ticks(task)
    x = _scaled(ends[0], ends[1], _LEFT + 12, right - 12)
    y = _scaled(ticks[0], ticks[-1], bottom, _TOP)
    yield _text(_LEFT, 20, f"{section.task}: {section.metric}", "title")
    for tick in ticks:
        yield f'<path d="M{_LEFT} {y(tick):.1f}H{right}" stroke="#ddd"/>'
        label = cells.measured(tick, {"in_points": task.in_points})
        yield _text(_LEFT - 8, y(tick) + 4, label, "scale", "end")
    last = -math.inf
    for size in task.sizes:
        at = x(math.log(size))
        yield f'<path d="M{at:.1f} {bottom}v5" stroke="#666"/>'
        # Numbers that would overlap the one before are left out.
        if at - last > 44:
            yield _text(at, bottom + 20, f"{size:,}", "scale", "middle")
            last = at
    yield _text((_LEFT + right) / 2, bottom + 40, "training examples", "scale", "middle")
    for number, curve in enumerate(task.curves):
        yield from _curve(curve, _COLOURS[number % len(_COLOURS)], x, y)
        yield from _key(curve, _COLOURS[number % len(_COLOURS)], right + 16, _TOP + 8 + _LINE * number)


def _curve(
    curve: LearningCurve, colour: str, x: Callable[[float], float], y: Callable[[float], float]
) -> Iterator[str]:
    at = [(x(math.log(point.examples)), y(point.value)) for point in curve.points]
    path = "L".join(f"{left:.1f} {top:.1f}" for left, top in at)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{_dashes(curve)}/>'
    for point, (left, top) in zip(curve.points, at, strict=True):
        if point.low is not None and point.high is not None:
            yield f'<path d="M{left:.1f} {y(point.low):.1f}V{y(point.high):.1f}" stroke="{colour}" opacity="0.5"/>'
        yield f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3" fill="{colour}"/>'


def _key(curve: LearningCurve, colour: str, left: float, top: float) -> Iterator[str]:
    yield f'<path d="M{left} {top}h22" stroke="{colour}" stroke-width="2"{_dashes(curve)}/>'
    names = {"backbone": curve.backbone, "strategy": curve.strategy, "variant": curve.variant}
    yield _text(left + 28, top + 4, cells.title(names))


def _dashes(curve: LearningCurve) -> str:
    return "" if curve.is_pretrained else ' stroke-dasharray="5 4"'


def _ticks(task: TaskCurves) -> list[float]:
    """Returns round values of the metric that enclose all scores and intervals."""
    points = [point for curve in task.curves for point in curve.points]
    values = [value for one in points for value in (one.value, one.low, one.high) if value is not None]
    low, high = min(values), max(values)
    # The largest of 1, 2 and 5 times a power of ten with which there are enough ticks.
    rough = max(high - low, 1e-9) / (_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step + 1e-9), max(math.ceil(high / step - 1e-9), math.floor(low / step + 1e-9) + 1)
    return [number * step for number in range(first, last + 1)]


def _scaled(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _text(left: float, top: float, text: str, style: str = "", anchor: str = "") -> str:
    attributes = (f' class="{style}"' if style else "") + (f' text-anchor="{anchor}"' if anchor else "")
    shown = printable(text, _NAME_LENGTH if not style else 120)
    return f'<text x="{left:.1f}" y="{top:.1f}"{attributes}>{escape(shown, quote=False)}</text>'
