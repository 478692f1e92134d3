"""Draws learning curves as SVG. Equal tables give equal bytes."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.results.label_efficiency.curves import LearningCurve
from tlbench.results.render import value_texts as cells
from tlbench.results.render.charts.line_chart import ChartPoint, LineChart, Series, image
from tlbench.results.render.curves.efficiency_section import EfficiencySection


def drawing(sections: Sequence[EfficiencySection]) -> str:
    """Returns an SVG with a panel for each task: number of training examples, on a logarithmic scale, against score.

    Bars are 95% intervals, and curves without pretrained weights are dashed.
    """
    return image([efficiency_chart(section) for section in sections])


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
