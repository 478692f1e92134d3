"""Metrics of classes and labels as functions of the counts of a confusion matrix.

Macro averages follow scikit-learn: a class that occurs neither in the targets nor in the predictions is left out of the
mean, whereas a label that no example has counts with a score of 0.
"""

from __future__ import annotations

import numpy as np

from tlbench.metrics.formula import Formula, Sums, mean_of, ratio, with_ones
from tlbench.metrics.scored import Array, Floats, Scored


def _accuracy(scored: Scored) -> Floats:
    if scored.kind == "tags":
        pairs = zip(scored.targets, scored.values, strict=True)
        correct = [sum(a == b for a, b in zip(target, value, strict=True)) for target, value in pairs]
        return np.stack([correct, [len(value) for value in scored.values]], axis=1).astype(np.float64)
    equal = scored.targets == scored.values
    return with_ones((equal.all(axis=1) if scored.kind == "labels" else equal).astype(np.float64))


def _positive_counts(scored: Scored) -> Floats:
    """Returns (N, 3) for the positive class: true positive, predicted positive, actual positive."""
    predicted, actual = scored.values == scored.positive, scored.targets == scored.positive
    return np.stack([predicted & actual, predicted, actual], axis=1).astype(np.float64)


def _class_counts(scored: Scored) -> Floats:
    """Returns (N, 3 K): the true positives, predictions and targets of each class; for labels, also a column of ones.

    The extra column marks multi-label data, where every label counts in a macro average, even one that no example of
    the resample has.
    """
    predicted, actual = _one_hot(scored)
    ones = np.ones((len(predicted), 1 if scored.kind == "labels" else 0))
    return np.concatenate([predicted * actual, predicted, actual, ones], axis=1)


def _one_hot(scored: Scored) -> tuple[Floats, Floats]:
    """Returns predictions and targets (N, K), one-hot for classes and multi-hot for labels."""
    t, v = scored.targets, scored.values
    if scored.kind == "labels":
        return v.astype(np.float64), t.astype(np.float64)
    # Only classes that occur get a column; the number of classes of the task is not known here.
    classes, indices = np.unique(np.concatenate([t, v]), return_inverse=True)
    hot = np.eye(len(classes))[indices.reshape(-1)]
    return hot[len(t) :], hot[: len(t)]


def _split_counts(sums: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns true positives, predicted and actual counts (..., K), and the number of classes in the mean (...)."""
    correct, predicted, actual = np.split(sums[..., : sums.shape[-1] // 3 * 3], 3, axis=-1)
    # 3 K columns, plus one for labels: see `_class_counts`.
    has_all_labels = sums.shape[-1] % 3 == 1
    present = (
        np.full(correct.shape[:-1], correct.shape[-1]) if has_all_labels else (predicted + actual > 0).sum(axis=-1)
    )
    return correct, predicted, actual, present.astype(np.float64)


def _f1_macro(sums: Floats) -> Floats:
    correct, predicted, actual, present = _split_counts(sums)
    return ratio(ratio(2 * correct, predicted + actual).sum(axis=-1), present)


def _precision_macro(sums: Floats) -> Floats:
    correct, predicted, _, present = _split_counts(sums)
    return ratio(ratio(correct, predicted).sum(axis=-1), present)


def _recall_macro(sums: Floats) -> Floats:
    correct, _, actual, present = _split_counts(sums)
    return ratio(ratio(correct, actual).sum(axis=-1), present)


def _balanced_accuracy(sums: Floats) -> Floats:
    correct, _, actual, _ = _split_counts(sums)
    # The recall of a class without targets is undefined, so the mean is over the classes that have some.
    return ratio(ratio(correct, actual).sum(axis=-1), (actual > 0).sum(axis=-1).astype(np.float64))


def _f1_weighted(sums: Floats) -> Floats:
    correct, predicted, actual, _ = _split_counts(sums)
    return ratio((actual * ratio(2 * correct, predicted + actual)).sum(axis=-1), actual.sum(axis=-1))


def _pooled_counts(scored: Scored) -> Floats:
    predicted, actual = _one_hot(scored)
    return np.stack([(predicted * actual).sum(axis=1), predicted.sum(axis=1), actual.sum(axis=1)], axis=1)


def _matthews_statistics(scored: Scored) -> Floats:
    predicted, actual = _one_hot(scored)
    # The correct predictions and the margins of the confusion matrix are enough: m = 2 + 2 K, not K * K.
    equal: Array = scored.targets == scored.values
    return np.concatenate([equal[:, None], np.ones((len(predicted), 1)), predicted, actual], axis=1).astype(np.float64)


def _matthews(sums: Floats) -> Floats:
    correct, n = sums[..., 0], sums[..., 1]
    predicted, actual = np.split(sums[..., 2:], 2, axis=-1)
    covariance = correct * n - (predicted * actual).sum(axis=-1)
    variances = (n**2 - (predicted**2).sum(axis=-1)) * (n**2 - (actual**2).sum(axis=-1))
    # The coefficient is 0 by convention if all predictions or all targets are of one class, as in scikit-learn.
    return ratio(covariance, np.sqrt(np.maximum(variances, 0)))


def precision_of(sums: Floats) -> Floats:
    """Returns the precision (...) for counts (..., 3) of true positives, predicted and actual positives."""
    return ratio(sums[..., 0], sums[..., 1])


def recall_of(sums: Floats) -> Floats:
    """Returns the recall (...) for counts (..., 3) of true positives, predicted and actual positives."""
    return ratio(sums[..., 0], sums[..., 2])


def f1_of(sums: Floats) -> Floats:
    """Returns the F1 score (...) for counts (..., 3) of true positives, predicted and actual positives."""
    # 2 tp / (predicted + actual) equals the harmonic mean of precision and recall, without their zero divisions.
    return ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


FORMULAS: dict[str, Formula] = {
    "accuracy": Sums(_accuracy, mean_of),
    "balanced_accuracy": Sums(_class_counts, _balanced_accuracy),
    "precision": Sums(_positive_counts, precision_of),
    "recall": Sums(_positive_counts, recall_of),
    "f1": Sums(_positive_counts, f1_of),
    "precision_macro": Sums(_class_counts, _precision_macro),
    "recall_macro": Sums(_class_counts, _recall_macro),
    "f1_macro": Sums(_class_counts, _f1_macro),
    "f1_micro": Sums(_pooled_counts, f1_of),
    "f1_weighted": Sums(_class_counts, _f1_weighted),
    "matthews": Sums(_matthews_statistics, _matthews),
}
