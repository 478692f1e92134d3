"""Metrics of classes and of labels: functions of the counts of a confusion matrix.

A class that stands on neither side is no class of a sample, while a label that nothing has still counts as one, with a
score of 0: both as in scikit-learn.
"""

from __future__ import annotations

import numpy as np

from tlbench.metrics.formula import Formula, Sums, mean_of, ratio, with_ones
from tlbench.metrics.scored import Array, Floats, Scored


def _accuracy(scored: Scored) -> Floats:
    if scored.kind == "tags":
        pairs = zip(scored.targets, scored.values, strict=True)
        right = [sum(a == b for a, b in zip(target, value, strict=True)) for target, value in pairs]
        return np.stack([right, [len(value) for value in scored.values]], axis=1).astype(np.float64)
    equal = scored.targets == scored.values
    return with_ones((equal.all(axis=1) if scored.kind == "labels" else equal).astype(np.float64))


def _found(scored: Scored) -> Floats:
    """Returns (N, 3): is said and true, is said, is true, of the positive class."""
    said, true = scored.values == scored.positive, scored.targets == scored.positive
    return np.stack([said & true, said, true], axis=1).astype(np.float64)


def _matrix(scored: Scored) -> Floats:
    """Returns (N, 3 K): said and true, said, true of each class; of labels one column more, which says that all count.

    The column tells a label that nothing has from a class that a resample lacks.
    """
    said, true = _hot(scored)
    ones = np.ones((len(said), 1 if scored.kind == "labels" else 0))
    return np.concatenate([said * true, said, true, ones], axis=1)


def _hot(scored: Scored) -> tuple[Floats, Floats]:
    t, v = scored.targets, scored.values
    if scored.kind == "labels":
        return v.astype(np.float64), t.astype(np.float64)
    classes, indices = np.unique(np.concatenate([t, v]), return_inverse=True)
    hot = np.eye(len(classes))[indices.reshape(-1)]
    return hot[len(t) :], hot[: len(t)]


def _split(sums: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns (..., K) each: said and true, said, true, and how many classes there are, (...)."""
    hit, said, true = np.split(sums[..., : sums.shape[-1] // 3 * 3], 3, axis=-1)
    all_count = sums.shape[-1] % 3 == 1
    present = np.full(hit.shape[:-1], hit.shape[-1]) if all_count else (said + true > 0).sum(axis=-1)
    return hit, said, true, present.astype(np.float64)


def _f1_macro(sums: Floats) -> Floats:
    hit, said, true, present = _split(sums)
    return ratio(ratio(2 * hit, said + true).sum(axis=-1), present)


def _precision_macro(sums: Floats) -> Floats:
    hit, said, _, present = _split(sums)
    return ratio(ratio(hit, said).sum(axis=-1), present)


def _recall_macro(sums: Floats) -> Floats:
    hit, _, true, present = _split(sums)
    return ratio(ratio(hit, true).sum(axis=-1), present)


def _balanced_accuracy(sums: Floats) -> Floats:
    hit, _, true, _ = _split(sums)
    return ratio(ratio(hit, true).sum(axis=-1), (true > 0).sum(axis=-1).astype(np.float64))


def _f1_weighted(sums: Floats) -> Floats:
    hit, said, true, _ = _split(sums)
    return ratio((true * ratio(2 * hit, said + true)).sum(axis=-1), true.sum(axis=-1))


def _all_found(scored: Scored) -> Floats:
    said, true = _hot(scored)
    return np.stack([(said * true).sum(axis=1), said.sum(axis=1), true.sum(axis=1)], axis=1)


def _matthews_parts(scored: Scored) -> Floats:
    said, true = _hot(scored)
    equal: Array = scored.targets == scored.values
    return np.concatenate([equal[:, None], np.ones((len(said), 1)), said, true], axis=1).astype(np.float64)


def _matthews(sums: Floats) -> Floats:
    right, n = sums[..., 0], sums[..., 1]
    said, true = np.split(sums[..., 2:], 2, axis=-1)
    covariance = right * n - (said * true).sum(axis=-1)
    variances = (n**2 - (said**2).sum(axis=-1)) * (n**2 - (true**2).sum(axis=-1))
    return ratio(covariance, np.sqrt(np.maximum(variances, 0)))


def precision_of(sums: Floats) -> Floats:
    """Returns the precision for sums (..., 3) of what is said and true, said, true."""
    return ratio(sums[..., 0], sums[..., 1])


def recall_of(sums: Floats) -> Floats:
    """Returns the recall for sums (..., 3) of what is said and true, said, true."""
    return ratio(sums[..., 0], sums[..., 2])


def f1_of(sums: Floats) -> Floats:
    """Returns F1 for sums (..., 3) of what is said and true, said, true."""
    return ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


FORMULAS: dict[str, Formula] = {
    "accuracy": Sums(_accuracy, mean_of),
    "balanced_accuracy": Sums(_matrix, _balanced_accuracy),
    "precision": Sums(_found, precision_of),
    "recall": Sums(_found, recall_of),
    "f1": Sums(_found, f1_of),
    "precision_macro": Sums(_matrix, _precision_macro),
    "recall_macro": Sums(_matrix, _recall_macro),
    "f1_macro": Sums(_matrix, _f1_macro),
    "f1_micro": Sums(_all_found, f1_of),
    "f1_weighted": Sums(_matrix, _f1_weighted),
    "matthews": Sums(_matthews_parts, _matthews),
}
