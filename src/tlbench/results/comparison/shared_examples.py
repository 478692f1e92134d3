"""Finds the examples that two results have in common, so that they can be compared example by example."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tlbench.metrics.scored import Array
from tlbench.results.stats import CellPredictions


@dataclass(frozen=True)
class SharedExamples:
    """The predictions of two results for their common examples, and how many examples only one of them has."""

    first: CellPredictions
    second: CellPredictions
    only_first: int = 0
    only_second: int = 0
    other_targets: int = 0
    """Number of examples with one id but two targets, which are left out."""

    @property
    def left_out(self) -> int:
        """Number of examples that are not compared."""
        return self.only_first + self.only_second + self.other_targets


def shared_examples(first: CellPredictions, second: CellPredictions) -> SharedExamples | None:
    """Returns the predictions for the examples with the same id and target; None if there are none."""
    if first.same_examples(second):
        return SharedExamples(first, second)
    places = {name: row for row, name in enumerate(second.ids)}
    common = [(row, places[name]) for row, name in enumerate(first.ids) if name in places]
    kept = [pair for pair in common if _equal(first.targets[pair[0]], second.targets[pair[1]])]
    if not kept:
        return None
    rows = np.array(kept)
    return SharedExamples(
        _of_rows(first, rows[:, 0]),
        _of_rows(second, rows[:, 1]),
        len(first.ids) - len(common),
        len(second.ids) - len(common),
        len(common) - len(kept),
    )


def _equal(one: object, other: object) -> bool:
    return bool(np.array_equal(np.asarray(one), np.asarray(other))) if isinstance(one, np.ndarray) else one == other


def _of_rows(predictions: CellPredictions, rows: Array) -> CellPredictions:
    groups = None if predictions.groups is None else np.unique(predictions.groups[rows], return_inverse=True)[1]
    return replace(
        predictions,
        ids=tuple(predictions.ids[row] for row in rows.tolist()),
        targets=predictions.targets[rows],
        values=predictions.values[:, rows],
        scores=None if predictions.scores is None else predictions.scores[:, rows],
        groups=groups,
    )
