"""Draws scores against costs as SVG, with the Pareto front: the rows that no other row beats in both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from tlbench.results.render.charts.chart_axes import NAME_LENGTH, log_ticks, round_ticks, scaled, svg_text

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 380, 60, 24, 16, 52
_LABEL_HEIGHT, _LABEL_WIDTH = 13, 6.4
"""Size of a label, and of one of its characters, in pixels."""


class CostPoint(NamedTuple):
    """A row with a score and a cost."""

    name: str
    cost: float
    score: float
    href: str
    title: str
    """The description of the point for a tooltip or a screen reader."""
    is_baseline: bool
    """Whether the row uses no pretrained weights."""


@dataclass(frozen=True)
class CostScatter:
    """Scores of a task against one cost."""

    label: str
    """Of the cost, with its unit."""
    tick_text: Callable[[float], str]
    """The text of a cost at the axis."""
    metric: str
    score_text: Callable[[float], str]
    greater_is_better: bool
    points: tuple[CostPoint, ...]

    @property
    def differs(self) -> bool:
        """Whether two points have different costs, so that the chart shows something."""
        return len({point.cost for point in self.points}) > 1

    def front(self) -> list[CostPoint]:
        """Returns the points that no other point beats in one of score and cost and equals in the other."""
        sign = 1 if self.greater_is_better else -1
        found: list[CostPoint] = []
        for point in sorted(self.points, key=lambda one: (one.cost, -sign * one.score, one.name)):
            if not found or sign * point.score > sign * found[-1].score:
                found.append(point)
        return found

    def svg(self) -> str:
        """Returns the chart, in which each point is a link; costs are on a logarithmic scale."""
        smallest = min((point.cost for point in self.points if point.cost > 0), default=1.0)
        # A logarithmic scale has no zero: what costs nothing stands at the left end.
        costs = [max(point.cost, smallest / 2) for point in self.points]
        x_ticks, y_ticks = log_ticks(costs), round_ticks(point.score for point in self.points)
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        x = _log_scaled(x_ticks[0], x_ticks[-1], _LEFT + 8, right - 8)
        y = scaled(y_ticks[0], y_ticks[-1], bottom, _TOP)
        label = escape(f"{self.metric} against {self.label}")
        parts = [f'<svg class="chart scatter" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group" aria-label="{label}">']
        for tick in y_ticks:
            parts.append(f'<path d="M{_LEFT} {y(tick):.1f}H{right}" stroke="#ddd"/>')
            parts.append(svg_text(_LEFT - 8, y(tick) + 4, self.score_text(tick), "scale", "end"))
        for tick in x_ticks:
            parts.append(f'<path d="M{x(tick):.1f} {bottom}v5" stroke="#666"/>')
            parts.append(svg_text(x(tick), bottom + 20, self.tick_text(tick), "scale", "middle"))
        parts.append(svg_text((_LEFT + right) / 2, bottom + 42, self.label, "scale", "middle"))
        front = self.front()
        at = {point: (x(max(point.cost, smallest / 2)), y(point.score)) for point in self.points}
        # A step: between two points of the front, the cheaper one is the best that the cost allows.
        steps = "".join(f"H{at[point][0]:.1f}V{at[point][1]:.1f}" for point in front)
        parts.append(f'<path class="front" d="M{at[front[0]][0]:.1f} {bottom}{steps}H{right}"/>')
        parts += [self._mark(point, *at[point], point in front) for point in self.points]
        parts += _labels([(point.name, *at[point]) for point in front])
        return "\n".join([*parts, "</svg>"])

    def _mark(self, point: CostPoint, left: float, top: float, is_front: bool) -> str:
        kind = " ".join(("point", *(["best"] if is_front else []), *(["baseline"] if point.is_baseline else [])))
        title = f"<title>{escape(point.title, quote=False)}</title>"
        # Squares and circles, so that baselines are told apart without colours.
        shape = (
            f'<rect x="{left - 4:.1f}" y="{top - 4:.1f}" width="8" height="8">{title}</rect>'
            if point.is_baseline
            else f'<circle cx="{left:.1f}" cy="{top:.1f}" r="5">{title}</circle>'
        )
        return f'<a class="{kind}" href="{escape(point.href)}" aria-label="{escape(point.title)}">{shape}</a>'


def _log_scaled(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    linear = scaled(math.log(low), math.log(high), start, end)
    return lambda value: linear(math.log(value))


def _labels(points: Sequence[tuple[str, float, float]]) -> list[str]:
    """Returns the names of points of the front, each above it to the left, where the front leaves no other point.

    A name without room there stands below to the right, and one that would overlap another is left out.
    """
    taken: list[tuple[float, float, float]] = []
    texts = []
    for name, left, top in reversed(points):
        width = _LABEL_WIDTH * min(len(name), NAME_LENGTH)
        is_left = left - 8 - width >= _LEFT
        start, line = (left - 8 - width, top - 7) if is_left else (left + 9, top + 16)
        if any(
            abs(line - other) < _LABEL_HEIGHT and start < end and begin < start + width for begin, end, other in taken
        ):
            continue
        taken.append((start, start + width, line))
        texts.append(svg_text(left - 8 if is_left else start, line, name, "", "end" if is_left else ""))
    return texts
