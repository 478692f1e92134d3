"""Draws scores against costs as characters, for a terminal."""

from __future__ import annotations

import math
import string

from tlbench.results.render.charts.chart_axes import log_ticks, round_ticks, scaled
from tlbench.results.render.charts.scatter_chart import CostPoint, CostScatter
from tlbench.results.render.escaping import printable

_OTHER, _BASELINE, _STEP = "o", "x", "."
_LETTERS = string.ascii_uppercase


def text_scatter(chart: CostScatter, width: int = 78, height: int = 12) -> list[str]:
    """Returns the lines of a drawing with a key of the Pareto front, whose points are letters.

    Costs are on a logarithmic scale, and what costs nothing stands at its left end. Dots show the best score that a
    cost allows. Points that share a character show as one: the front covers other rows, and these cover baselines.

    Args:
        chart: Scores against a cost, at least one point.
        width: Characters of a line; names in the key are not cut, so that its lines can be longer.
        height: Lines between the axes.
    """
    smallest = min((point.cost for point in chart.points if point.cost > 0), default=1.0)
    cost = {point: max(point.cost, smallest / 2) for point in chart.points}
    y_ticks, x_ticks = round_ticks(point.score for point in chart.points), log_ticks(cost.values())
    labels = [chart.score_text(tick) for tick in y_ticks]
    margin = max(map(len, labels)) + 2
    columns = width - margin
    x = scaled(math.log(x_ticks[0]), math.log(x_ticks[-1]), 0, columns - 1)
    y = scaled(y_ticks[0], y_ticks[-1], height - 1, 0)
    at = {point: (round(x(math.log(cost[point]))), round(y(point.score))) for point in chart.points}
    front = chart.front()
    grid = [[" "] * columns for _ in range(height)]
    for point, following in zip(front, [*front[1:], None], strict=True):
        left, line = at[point]
        for column in range(left, at[following][0] if following else columns):
            grid[line][column] = _STEP
    # What is drawn later covers what is drawn earlier.
    for point in sorted(chart.points, key=lambda one: not one.is_baseline):
        left, line = at[point]
        grid[line][left] = _BASELINE if point.is_baseline else _OTHER
    letters = _lettered(front)
    for point in reversed(front):
        left, line = at[point]
        grid[line][left] = letters[point]
    ticked = {round(y(tick)): label for tick, label in zip(y_ticks, labels, strict=True)}
    lines = [f"{ticked.get(number, ''):>{margin - 2}} |{''.join(row)}".rstrip() for number, row in enumerate(grid)]
    places = [(round(x(math.log(tick))), chart.tick_text(tick)) for tick in x_ticks]
    return [
        *lines,
        " " * (margin - 1) + "+" + "".join("+" if n in dict(places) else "-" for n in range(columns)),
        " " * margin + _tick_line(places, columns),
        *(f"  {letters[point]}  {printable(point.title)}" for point in front),
    ]


def _lettered(front: list[CostPoint]) -> dict[CostPoint, str]:
    # More than 26 points on a front are rare; their letters begin anew.
    return {point: _LETTERS[number % len(_LETTERS)] for number, point in enumerate(front)}


def _tick_line(places: list[tuple[int, str]], columns: int) -> str:
    """Returns the texts below the ticks; one that would overlap its left neighbour is left out."""
    line = ""
    for place, text in places:
        start = max(0, min(place - len(text) // 2, columns - len(text)))
        if not line or start > len(line):
            line = line.ljust(start) + text
    return line
