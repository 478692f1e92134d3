"""Draws learning curves as SVG. Equal tables give equal bytes."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.results.label_efficiency.curves import LearningCurve
from tlbench.results.render import value_texts as cells
from tlbench.results.render.charts.line_chart import BOTTOM, LINE, PLOT_HEIGHT, TOP, ChartPoint, LineChart, Series
from tlbench.results.render.curves.efficiency_section import EfficiencySection

_WIDTH, _RIGHT = 860, 300
"""Width of the image, and of its margin for the names of curves, in pixels."""
_STYLE = "text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:14px}.scale{fill:#666}"


def drawing(sections: Sequence[EfficiencySection]) -> str:
    """Returns an SVG with a panel for each task: number of training examples, on a logarithmic scale, against score.

    Bars are 95% intervals, and curves without pretrained weights are dashed.
    """
    heights = [max(PLOT_HEIGHT, LINE * len(section.curves.curves)) + TOP + BOTTOM for section in sections]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {sum(heights)}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{sum(heights)}" fill="#fff"/>',
    ]
    for number, section in enumerate(sections):
        parts.append(f'<g transform="translate(0 {sum(heights[:number])})">')
        parts += efficiency_chart(section).lines(_WIDTH, _RIGHT, with_key=True)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def efficiency_chart(section: EfficiencySection) -> LineChart:
    """Returns the chart of one task's learning curves."""
    task = section.curves
    return LineChart(
        f"{section.task}: {section.metric}",
        "training examples",
        task.sizes,
        lambda value: cells.measured(value, {"in_points": task.in_points}),
        tuple(map(_series, task.curves)),
        x_is_log=True,
    )


def _series(curve: LearningCurve) -> Series:
    names = {"backbone": curve.backbone, "strategy": curve.strategy, "variant": curve.variant}
    points = tuple(ChartPoint(point.examples, point.value, point.low, point.high) for point in curve.points)
    return Series(cells.title(names), points, is_dashed=not curve.is_pretrained)
