"""Which answers are exactly right: of stored predictions, and of answers that another program gave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlbench.metrics.scored import Array
from tlbench.results.stats import CellPredictions


def right_answers(predictions: CellPredictions) -> Array | None:
    """Returns (S, N) booleans: whether each fit answers each example exactly right; None for real numbers."""
    targets, values = predictions.targets, predictions.values
    if values.dtype.kind == "f" or targets.dtype.kind == "f":
        return None
    if values.dtype != object:
        equal: Array = values == targets
        return np.asarray(equal.reshape(*equal.shape[:2], -1).all(axis=2))
    rows = [[_is_right(value, target) for value, target in zip(row, targets, strict=True)] for row in values]
    return np.array(rows, dtype=bool)


def _is_right(value: object, target: object) -> bool:
    """Returns whether a text is among its accepted answers, or the tags of words are all right."""
    if isinstance(value, str) and isinstance(target, tuple):
        # A question without an answer accepts no text, and no answer to it is the right one.
        return value in target if target else not value
    return value == target


def accepted_answers(predictions: CellPredictions, classes: Sequence[str]) -> dict[str, frozenset[str]] | None:
    """Returns, by example id, the texts that count as its right answer; None if answers are neither classes nor texts.

    Args:
        predictions: The stored predictions of a cell, for their ids and targets.
        classes: Names of the classes by index; an answer may also be the index.
    """
    targets = predictions.targets
    if targets.ndim == 1 and targets.dtype.kind in "biu":
        # An index counts too, unless a class has a number as its name.
        are_numbers = any(name.strip().isdecimal() for name in classes)
        of_class = {
            one: frozenset({*classes[one : one + 1], *(() if are_numbers and one < len(classes) else (str(one),))})
            for one in np.unique(targets).tolist()
        }
        return {name: of_class[one] for name, one in zip(predictions.ids, targets.tolist(), strict=True)}
    if predictions.values.dtype == object and len(predictions.values[0]) and isinstance(predictions.values[0][0], str):
        return {name: frozenset(one) for name, one in zip(predictions.ids, targets, strict=True)}
    return None


def from_outcomes(ids: Sequence[str], right: Array, seeds: Sequence[int] = (0,)) -> CellPredictions:
    """Returns outcomes as predictions of two classes, of which accuracy is the share of right answers.

    Args:
        ids: The N example ids.
        right: (S, N) whether each fit answers each example right.
        seeds: The S seeds.
    """
    order = sorted(range(len(ids)), key=ids.__getitem__)
    values = np.asarray(right, dtype=np.int64)[:, order]
    return CellPredictions(tuple(ids[row] for row in order), np.ones(len(ids), np.int64), values, tuple(seeds))
