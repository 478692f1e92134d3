"""Averages the predictions of several fits: probabilities of classes and labels, or numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlbench.metrics.scored import Array, Floats, Scored, probabilities
from tlbench.results.stats import CellPredictions

NOT_AVERAGED = "only probabilities and numbers can be averaged, and its predictions are tags of words or texts"


def can_be_averaged(predictions: CellPredictions) -> bool:
    """Returns whether the predictions are classes, labels or numbers, and not tags of words or texts."""
    return predictions.targets.dtype.kind in "biuf"


def averageable(rows: Sequence[Scored]) -> Floats:
    """Returns the values of M fits that an ensemble averages: (M, N, K) probabilities, or (M, N) numbers.

    A fit without probabilities counts as certain of its predictions, with probabilities of 0 and 1.
    """
    if not _is_probable(rows[0]):
        return np.stack([row.values.astype(np.float64) for row in rows])
    parts = [probabilities(row) for row in rows]
    # Fits without probabilities have a column for each class that occurs, which may be fewer than all classes.
    width = max(part.shape[1] for part in parts)
    return np.stack([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])


def predicted(average: Floats, like: Scored) -> Scored:
    """Returns the predictions that follow from an average: the most probable class, labels above 0.5, or the numbers.

    Args:
        average: (N, K) probabilities or (N,) numbers.
        like: The predictions of one of the fits, which give the targets and the kind of output.
    """
    if not _is_probable(like):
        return Scored(like.targets, average, None, like.positive)
    values: Array = average.argmax(axis=1) if like.kind == "numbers" else (average > 0.5).astype(np.int64)
    return Scored(like.targets, values, average, like.positive)


def _is_probable(row: Scored) -> bool:
    """Returns whether the predictions are classes or labels."""
    return row.kind == "labels" or (row.targets.dtype.kind in "biu" and row.values.dtype.kind in "biu")
