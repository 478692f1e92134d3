"""Scores of single classes, as they are stored in a record."""

from __future__ import annotations

import msgspec


class ClassScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Precision, recall and F1 of one class, label or entity type on the test split, counted over all seeds."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    """Number of test examples of this class; for token classification, the number of its entities or words."""


class ClassReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scores per class and the confusion matrix; empty for tasks that are not classification."""

    classes: tuple[ClassScore, ...] = ()
    names: tuple[str, ...] = ()
    """Names of the rows and columns of the confusion matrix; empty for multi-label tasks, which have no matrix."""
    confusion: tuple[tuple[int, int, int], ...] = ()
    """Sparse confusion matrix, summed over seeds: (index of the target, index of the prediction, count)."""
