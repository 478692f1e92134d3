"""Draws learning curves as SVG. Equal tables give equal bytes."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.results.label_efficiency.curves import LearningCurve
from tlbench.results.render import value_texts as cells
from tlbench.results.render.curves.efficiency_section import EfficiencySection
from tlbench.results.render.curves.line_chart import ChartLine, ChartPoint, LineChart, drawn


def drawing(sections: Sequence[EfficiencySection]) -> str:
    """Returns an SVG with a panel for each task: number of training examples, on a logarithmic scale, against score.

    Bars are 95% intervals, and curves without pretrained weights are dashed.
    """
    return drawn([_chart(section) for section in sections])


def _chart(section: EfficiencySection) -> LineChart:
    task = section.curves
    return LineChart(
        title=f"{section.task}: {section.metric}",
        lines=[_line(curve) for curve in task.curves],
        marks=task.sizes,
        x_title="training examples",
        x_label=lambda size: f"{size:,}",
        y_label=lambda score: cells.measured(score, {"in_points": task.in_points}),
    )


def _line(curve: LearningCurve) -> ChartLine:
    names = {"backbone": curve.backbone, "strategy": curve.strategy, "variant": curve.variant}
    points = [ChartPoint(point.examples, point.value, point.low, point.high) for point in curve.points]
    return ChartLine(cells.title(names), points, is_dashed=not curve.is_pretrained)
