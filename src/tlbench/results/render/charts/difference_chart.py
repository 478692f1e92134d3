"""Draws means over tasks as a critical-difference diagram: bars join the rows that tests do not tell apart.

J. Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", 2006, with means in place of mean ranks.
"""

from __future__ import annotations

from html import escape

from rich.cells import cell_len

from tlbench.results.render.charts.chart_axes import round_ticks, scaled, svg_text
from tlbench.results.render.charts.tested_means import MEAN_AXIS, TestedMeans

_WIDTH, _RIGHT, _TOP, _ROW = 760, 24, 46, 22
_FEWEST, _MOST, _CHARACTER = 160, 480, 7.2
"""Width of the names at least and at most, and of a character in them, in pixels; wide characters count twice."""
_BAR_DISTANCE = 7


def difference_chart(found: TestedMeans) -> str:
    """Returns the diagram: a row for each strategy at its mean, and a bar with dots for each group."""
    order = sorted(range(len(found.means)), key=lambda row: (-found.means[row], row))
    ticks = round_ticks([0.0, *found.means])
    groups = found.groups()
    plot_right = _WIDTH - _RIGHT - _BAR_DISTANCE * len(groups)
    names = min(_MOST, max([_FEWEST, *(round(_CHARACTER * cell_len(label)) for label in found.labels)]))
    x = scaled(ticks[0], ticks[-1], names + 12, plot_right - 8)
    bottom = _TOP + _ROW * len(order)
    y = {row: _TOP + _ROW * (place + 0.5) for place, row in enumerate(order)}
    parts = [
        f'<svg class="chart differences" viewBox="0 0 {_WIDTH} {bottom + 8}" role="img" '
        f'aria-label="{escape(MEAN_AXIS)}">',
        svg_text(_WIDTH - _RIGHT, 14, MEAN_AXIS, "scale", "end"),
    ]
    for tick in ticks:
        parts.append(f'<path d="M{x(tick):.1f} {_TOP - 6}V{bottom}" stroke="#ddd"/>')
        parts.append(svg_text(x(tick), _TOP - 12, f"{tick:g}", "scale", "middle"))
    for row in order:
        parts.append(svg_text(names, y[row] + 4, found.labels[row], "row", "end"))
        parts.append(f'<path class="stem" d="M{x(ticks[0]):.1f} {y[row]:.1f}H{x(found.means[row]):.1f}"/>')
        parts.append(f'<circle class="mean" cx="{x(found.means[row]):.1f}" cy="{y[row]:.1f}" r="4"/>')
    for number, group in enumerate(groups):
        at = plot_right + _BAR_DISTANCE * (number + 1)
        parts.append(f'<path class="group" d="M{at} {y[group[0]]:.1f}V{y[group[-1]]:.1f}"/>')
        parts += [f'<circle class="member" cx="{at}" cy="{y[row]:.1f}" r="2.4"/>' for row in group]
    return "\n".join([*parts, "</svg>"])
