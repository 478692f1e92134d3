"""Columns of a leaderboard that follow from the metrics and the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tlbench.contracts.metric import Metric
from tlbench.results.records.summaries import CellSummary

METRIC_COLUMNS = ("metric_label", "greater_is_better", "in_points", "metric_worst", "metric_best")
"""The columns that describe a row's metric."""


def metric_columns(names: Sequence[str], metrics: Mapping[str, Metric]) -> dict[str, list[Any]]:
    """Returns the columns that describe each row's metric."""
    # A record may name a metric that is not installed: it counts as a fraction of 1 that is better when higher.
    unknown = ("unknown metric", True, True, 0.0, 1.0)
    facts: dict[str, tuple[str, bool, bool, float | None, float | None]] = {"": ("", True, True, 0.0, 1.0)}
    for name in {*names} - {""}:
        metric = metrics.get(name)
        facts[name] = _facts(metric) if metric else unknown
    columns = {}
    for position, title in enumerate(METRIC_COLUMNS):
        of = {name: fact[position] for name, fact in facts.items()}
        columns[title] = [of[name] for name in names]
    return columns


def _facts(metric: Metric) -> tuple[str, bool, bool, float | None, float | None]:
    best = metric.highest if metric.greater_is_better else metric.lowest
    return metric.label, metric.greater_is_better, metric.in_points, metric.worst, best


def expected_cells(cells: Sequence[CellSummary], planned: Sequence[str]) -> list[bool]:
    """Returns whether each cell is one of the planned ones, given by their ids; without a plan, all are."""
    expected = set(planned)
    return [not expected or summary.cell in expected for summary in cells]
