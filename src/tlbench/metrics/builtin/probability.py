"""Metrics of predicted probabilities: discrimination (ROC AUC, top-5 accuracy), log loss and calibration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tlbench.metrics.formula import Formula, Ranks, Sums, mean_of, ratio, with_ones
from tlbench.metrics.scored import Array, Floats, Scored, probabilities

BINS = 15
"""The number of bins of the calibration error, as in Guo et al. 2017, arXiv:1706.04599."""
UNDEFINED = 0.5
"""The ROC AUC of a sample without positive or without negative examples: that of a random order."""


TOP = 5
"""The k of top-k accuracy: a prediction is right if the target is among this many most probable classes."""


def columns_of(scored: Scored) -> list[tuple[Array, Floats]]:
    """Returns, for each ROC curve to average, whether each example is positive (N,), and its predicted score (N,).

    Two classes have one curve, that of the positive class. Three or more classes have one curve for each class against
    the rest, and labels have one curve each.
    """
    scores = probabilities(scored)
    if scored.kind == "labels":
        return [(scored.targets[:, k] == 1, scores[:, k]) for k in range(scores.shape[1])]
    if scores.shape[1] == 2:
        return [(scored.targets == scored.positive, scores[:, scored.positive])]
    return [(scored.targets == k, scores[:, k]) for k in range(scores.shape[1])]


def _mean_area(scored: Scored) -> Callable[[Floats], Floats]:
    areas = [_area(*column) for column in columns_of(scored)]

    def resampled(weights: Floats) -> Floats:
        total, defined = np.zeros((2, len(weights)))
        for area in areas:
            value = area(weights)
            # A resample may lack a class, or contain nothing else; its curve is then left out of the mean.
            is_defined = ~np.isnan(value)
            total[is_defined] += value[is_defined]
            defined += is_defined
        return np.where(defined > 0, ratio(total, defined), UNDEFINED)

    return resampled


def _area(is_positive: Array, scores: Floats) -> Callable[[Floats], Floats]:
    """Returns a function from weights (R, N) to the ROC AUC (R,), NaN where it is undefined.

    The area equals the share of (positive, negative) pairs in which the positive example has the higher score, ties
    counting half (the Mann-Whitney U statistic). The order is the same in every resample, so it is computed once.
    """
    positives, negatives = np.flatnonzero(is_positive), np.flatnonzero(~is_positive)
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    # The negatives below each positive example, without and with ties; their mean counts a tie half.
    low, high = (np.searchsorted(scores[negatives], scores[positives], side) for side in ("left", "right"))

    def area(weights: Floats) -> Floats:
        # below[:, i] is the number of negatives among the i lowest that the resample contains.
        below = np.zeros((len(weights), len(negatives) + 1))
        np.cumsum(weights[:, negatives], axis=1, out=below[:, 1:])
        positive_weights = weights[:, positives]
        ordered = (positive_weights * (below[:, low] + below[:, high])).sum(axis=1) / 2
        pairs = positive_weights.sum(axis=1) * below[:, -1]
        return np.where(pairs > 0, ratio(ordered, pairs), np.nan)

    return area


def _in_top(scored: Scored) -> Floats:
    scores, rows = probabilities(scored), np.arange(len(scored))
    has_column = scored.targets < scores.shape[1]
    target_scores = scores[rows, np.where(has_column, scored.targets, 0)]
    # Ties go to the lower class index, as in argmax. A class of probability 0 is never in the top 5: otherwise a
    # predictor without probabilities, which has a single class of probability 1, would get credit for four more.
    before = (scores > target_scores[:, None]).sum(axis=1)
    before += ((scores == target_scores[:, None]) & (np.arange(scores.shape[1]) < scored.targets[:, None])).sum(axis=1)
    return with_ones((has_column & (target_scores > 0) & (before < TOP)).astype(np.float64))


def _losses(scored: Scored) -> Floats:
    scores = probabilities(scored)
    # The clipping of scikit-learn's `log_loss`, which keeps the loss of a probability of 0 finite.
    smallest = np.finfo(np.float64).eps
    target_scores = np.zeros(len(scores))
    # A target class without a column has probability 0.
    has_column = scored.targets < scores.shape[1]
    target_scores[has_column] = scores[has_column, scored.targets[has_column]]
    return with_ones(-np.log(np.clip(target_scores, smallest, 1 - smallest)))


def _calibration_gaps(scored: Scored) -> Floats:
    """Returns (N, 2 BINS): the one-hot bin of each example, and in that bin its confidence minus its correctness.

    Summed within bins these give the gap between mean confidence and accuracy of every bin.
    """
    scores = probabilities(scored)
    confidence, correct = scores.max(axis=1), scores.argmax(axis=1) == scored.targets
    # Bins are (low, high], as in Guo et al.; the clip keeps confidences of 0, and those that rounding puts above 1.
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    one_hot = np.eye(BINS)[bins]
    return np.concatenate([one_hot, one_hot * (confidence - correct)[:, None]], axis=1)


def _calibration_error(sums: Floats) -> Floats:
    counts, gaps = np.split(sums, 2, axis=-1)
    return ratio(np.abs(gaps).sum(axis=-1), counts.sum(axis=-1))


FORMULAS: dict[str, Formula] = {
    "top5_accuracy": Sums(_in_top, mean_of),
    "roc_auc": Ranks(_mean_area),
    "log_loss": Sums(_losses, mean_of, counts=False),
    "calibration_error": Sums(_calibration_gaps, _calibration_error, counts=False),
}
