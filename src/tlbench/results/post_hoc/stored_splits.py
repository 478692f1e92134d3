"""Reads the stored validation and test predictions of a cell's final fits; the files may come from someone else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlbench.contracts.metric import Metric
from tlbench.results.records.store import Store
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.results.records.summaries import CellSummary
from tlbench.results.stats import CellPredictions, reproduces

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROUNDING = 1e-3
"""How far a probability may be outside 0 to 1, and the sum over classes from 1, since they are stored in fp32."""
_RAISED = (Exception, SystemExit)
"""Exceptions that a plugin's metric may raise. It may also call sys.exit by mistake."""


class UnusableFile(Exception):
    """Predictions are missing or damaged, or do not fit the record; the message says why, in one line."""


class StoredSplits:
    """Reads predictions from a folder of results. Callers read test predictions only after their choice is made."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def validation(self, summary: CellSummary) -> CellPredictions:
        """Returns a cell's predictions of the validation split.

        Raises:
            UnusableFile: There are none, or they cannot be used.
        """
        path = self._store.validation_predictions(summary.cell, summary.attempt)
        if path is None:
            raise UnusableFile("no validation predictions")
        predictions = _read(path, summary, summary.validation_digest)
        if len(predictions.seeds) != summary.seeds:
            raise UnusableFile(f"{path.name}: {len(predictions.seeds)} seeds, and the record has {summary.seeds}")
        return predictions

    def test(self, summary: CellSummary, metric: Metric) -> CellPredictions:
        """Returns a cell's predictions of the test split, whose score must be the recorded one.

        Raises:
            UnusableFile: There are none, they cannot be used, or their score is not the recorded one.
        """
        path = self._store.predictions(summary)
        if path is None:
            raise UnusableFile("no test predictions")
        predictions = _read(path, summary, summary.predictions_digest)
        try:
            is_same = summary.value is not None and reproduces(metric, predictions, summary.value)
        except _RAISED as error:
            raise UnusableFile(f"{path.name}: {metric.name}: {' '.join(str(error).split())}") from error
        if not is_same:
            raise UnusableFile(f"{path.name}: its score is not the recorded one")
        return predictions


def with_seeds(predictions: CellPredictions, seeds: Sequence[int]) -> CellPredictions:
    """Returns the predictions of some of the seeds, in this order."""
    places = [predictions.seeds.index(seed) for seed in seeds]
    scores = None if predictions.scores is None else predictions.scores[places]
    return replace(predictions, values=predictions.values[places], scores=scores, seeds=tuple(seeds))


def _read(path: Path, summary: CellSummary, digest: str) -> CellPredictions:
    try:
        predictions = read_predictions(path, with_scores=True, digest=digest)
    except (OSError, ValueError, MemoryError) as error:  # for a damaged file, pyarrow raises a ValueError
        raise UnusableFile(f"{path.name} cannot be read: {' '.join(str(error).split())[:200]}") from error
    if predictions is None:
        raise UnusableFile(f"{path.name} holds no predictions")
    if fault := _fault_of_scores(predictions):
        raise UnusableFile(f"{path.name}: {fault}")
    return replace(predictions, positive=summary.positive)


def _fault_of_scores(predictions: CellPredictions) -> str:
    """Returns what is wrong with the probabilities, or an empty text."""
    scores, targets = predictions.scores, predictions.targets
    if scores is None:
        return ""
    if scores.ndim != 3 or scores.dtype.kind != "f":
        return "its probabilities are not a row of numbers for each example"
    if not ((scores >= -_ROUNDING) & (scores <= 1 + _ROUNDING)).all():  # also false for NaN
        return "its probabilities are not between 0 and 1"
    if targets.ndim == 2:
        return "" if scores.shape[2] == targets.shape[1] else "it has not one probability for each label"
    if targets.dtype.kind not in "iu":
        return "it has probabilities, and its targets are no classes"
    if not (np.abs(scores.sum(axis=2) - 1) <= _ROUNDING).all():
        return "its probabilities do not sum to 1"
    classes = max(int(targets.max()), int(predictions.values.max())) + 1
    return "" if scores.shape[2] >= classes else f"it has probabilities of {scores.shape[2]} classes, not {classes}"
