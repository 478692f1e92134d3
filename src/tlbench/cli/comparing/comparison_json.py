"""A comparison as JSON: values in full precision and in units of the metric."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tlbench.results.comparison.cell_pairs import CellPairs
from tlbench.results.comparison.verdicts import FAILS, Comparison
from tlbench.results.recommendation.costs import costs_of
from tlbench.results.records.summaries import CellSummary

_TEST = (
    "difference", "low", "high", "p", "test", "detectable", "examples", "groups", "only_first", "only_second",
)  # fmt: skip


def comparison_json(names: tuple[str, str], comparisons: Sequence[Comparison], pairs: CellPairs) -> str:
    """Returns comparisons as one JSON object, in ASCII, so that no name can act on a terminal."""
    content = {
        "format": 1,
        "a": names[0],
        "b": names[1],
        "regressions": sum(one.verdict in FAILS for one in comparisons),
        "comparisons": [_comparison(one) for one in comparisons],
        "only_a": [_cell(one) for one in pairs.only_first],
        "only_b": [_cell(one) for one in pairs.only_second],
    }
    return json.dumps(content, indent=1)


def _comparison(one: Comparison) -> dict[str, Any]:
    test = one.test
    values = {name: getattr(test, name, None) for name in _TEST}
    return {
        "name": one.name,
        "metric": one.metric.name,
        "greater_is_better": one.metric.greater_is_better,
        "verdict": one.verdict,
        "margin": one.margin,
        **values,
        "corrected_p": one.corrected_p,
        "a": _side(one.first, None if test is None else (test.first, test.seeds[0])),
        "b": _side(one.second, None if test is None else (test.second, test.seeds[1])),
        "notes": list(one.notes),
    }


def _side(cell: CellSummary | None, tested: tuple[float, int] | None) -> dict[str, Any]:
    score, seeds = tested or ((cell.value, cell.seeds) if cell is not None else (None, 0))
    side = {"score": score, "seeds": seeds}
    if cell is None:
        return {**side, "cell": None, "costs": None}
    return {**side, "cell": _cell(cell), "costs": costs_of(cell)}


def _cell(cell: CellSummary) -> dict[str, Any]:
    return {
        "id": cell.cell,
        "task": cell.task,
        "backbone": cell.backbone,
        "strategy": cell.strategy,
        "status": cell.status,
    }
