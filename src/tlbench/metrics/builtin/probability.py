"""Metrics of probabilities: how well they order the examples, and how well they mean what they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tlbench.metrics.formula import Formula, Ranks, Sums, mean_of, ratio, with_ones
from tlbench.metrics.scored import Array, Floats, Scored, probabilities

BINS = 15
"""Of the calibration error: as many as Guo et al. 2017, arXiv:1706.04599, have."""
UNDEFINED = 0.5
"""The area under the curve of a sample in which all examples are alike."""


TOP = 5
"""Of the most probable classes, among which the right one counts as found."""


def columns_of(scored: Scored) -> list[tuple[Array, Floats]]:
    """Returns for each curve whose area counts (N,) who is of its class, and (N,) the class's probability.

    One curve, of the positive class, of two classes; else one for each class against the rest, or for each label.
    """
    given = probabilities(scored)
    if scored.kind == "labels":
        return [(scored.targets[:, k] == 1, given[:, k]) for k in range(given.shape[1])]
    if given.shape[1] == 2:
        return [(scored.targets == scored.positive, given[:, scored.positive])]
    return [(scored.targets == k, given[:, k]) for k in range(given.shape[1])]


def _areas(scored: Scored) -> Callable[[Floats], Floats]:
    areas = [_area(*column) for column in columns_of(scored)]

    def resampled(weights: Floats) -> Floats:
        found, defined = np.zeros((2, len(weights)))
        for area in areas:
            value = area(weights)
            # A class that all examples have, or none, has no curve.
            has = ~np.isnan(value)
            found[has] += value[has]
            defined += has
        return np.where(defined > 0, ratio(found, defined), UNDEFINED)

    return resampled


def _area(true: Array, given: Floats) -> Callable[[Floats], Floats]:
    """Returns what gives (R,): the share of pairs of a true and another example that each resample orders rightly."""
    positives, others = np.flatnonzero(true), np.flatnonzero(~true)
    others = others[np.argsort(given[others], kind="stable")]
    # How many others lie below each true example; those that lie beside it count half.
    low, high = (np.searchsorted(given[others], given[positives], side) for side in ("left", "right"))

    def area(weights: Floats) -> Floats:
        below = np.zeros((len(weights), len(others) + 1))
        np.cumsum(weights[:, others], axis=1, out=below[:, 1:])
        drawn = weights[:, positives]
        hits = (drawn * (below[:, low] + below[:, high])).sum(axis=1) / 2
        pairs = drawn.sum(axis=1) * below[:, -1]
        return np.where(pairs > 0, ratio(hits, pairs), np.nan)

    return area


def _among_top(scored: Scored) -> Floats:
    given, rows = probabilities(scored), np.arange(len(scored))
    known = scored.targets < given.shape[1]
    right = given[rows, np.where(known, scored.targets, 0)]
    # Of equally probable classes those of lower index come first, as where the most probable one is taken. What has no
    # probability at all is not among them: who is certain of one answer gives no others.
    before = (given > right[:, None]).sum(axis=1)
    before += ((given == right[:, None]) & (np.arange(given.shape[1]) < scored.targets[:, None])).sum(axis=1)
    return with_ones((known & (right > 0) & (before < TOP)).astype(np.float64))


def _losses(scored: Scored) -> Floats:
    given = probabilities(scored)
    least = np.finfo(np.float64).eps
    said = np.zeros(len(given))
    # Who is certain of his answer may never have heard of the right class.
    known = scored.targets < given.shape[1]
    said[known] = given[known, scored.targets[known]]
    return with_ones(-np.log(np.clip(said, least, 1 - least)))


def _calibration(scored: Scored) -> Floats:
    """Returns (N, 2 BINS): 1 for the bin of each example, and by how much its confidence lies above what is right."""
    given = probabilities(scored)
    confidence, right = given.max(axis=1), given.argmax(axis=1) == scored.targets
    # Of each bin the upper end belongs to it; what rounding leaves above 1 is in the last.
    number = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    hot = np.eye(BINS)[number]
    return np.concatenate([hot, hot * (confidence - right)[:, None]], axis=1)


def _calibration_error(sums: Floats) -> Floats:
    counts, gaps = np.split(sums, 2, axis=-1)
    return ratio(np.abs(gaps).sum(axis=-1), counts.sum(axis=-1))


FORMULAS: dict[str, Formula] = {
    "top5_accuracy": Sums(_among_top, mean_of),
    "roc_auc": Ranks(_areas),
    "log_loss": Sums(_losses, mean_of, counts=False),
    "calibration_error": Sums(_calibration, _calibration_error, counts=False),
}
