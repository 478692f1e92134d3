"""Correlation coefficients: Pearson's from moments, Spearman's from the ranks within each resample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tlbench.metrics.formula import Accurate, Formula, Ranks, Sums
from tlbench.metrics.scored import Array, Floats, Scored

_FLAT = 1e-13
"""A resample whose variance is below this fraction of the sample's variance counts as constant, up to rounding."""
_SMALL = 1e-5
"""If a resample's variance is below this fraction of the sample's, sums lose too many digits, and its correlation is
computed from deviations."""


def _moments(scored: Scored) -> Floats:
    # Correlation does not change under shifts and scales, and moments of standardised values do not lose digits.
    x, y = _standardised(scored.targets), _standardised(scored.values)
    return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1)


def _pearson(sums: Floats) -> Floats:
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return _correlation(n, x, y, xx, yy, xy)


def _loses_digits(sums: Floats) -> NDArray[np.bool_]:
    n, x, y, xx, yy, _ = np.moveaxis(sums, -1, 0)
    # A constant column of the sample is standardised to exact zeros, whose sums are exact.
    small_x, small_y = (
        (n * squares - part * part < _SMALL * n * n) & (squares != 0) for squares, part in ((xx, x), (yy, y))
    )
    return np.asarray(small_x | small_y)


def _weighted_pearson(scored: Scored, weights: Floats) -> Floats:
    # Differences from the mean of the resample, not of the sample: outliers outside the resample cost no digits.
    x, y = (_deviations(_scaled(part), weights) for part in (scored.targets, scored.values))
    return _correlation(
        np.ones(len(weights)), 0.0, 0.0, *((weights * a * b).sum(axis=1) for a, b in ((x, x), (y, y), (x, y)))
    )


def _deviations(values: Floats, weights: Floats) -> Floats:
    """Returns (R, N): differences from each resample's mean, scaled to at most 1; 0 in a constant resample."""
    present = weights > 0
    low = np.where(present, values, np.inf).min(axis=1, keepdims=True)
    # First the resample's lowest value is subtracted, so that the mean is computed from small numbers.
    moved = np.where(present, values - low, 0.0)
    moved = np.where(
        present, moved - (weights * moved).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True), 0.0
    )
    largest = np.abs(moved).max(axis=1, keepdims=True)
    is_constant = (np.where(present, values, low) == low).all(axis=1, keepdims=True)
    return np.asarray(np.where(is_constant, 0.0, moved / np.where(largest > 0, largest, 1)))


def _spearman(scored: Scored) -> Callable[[Floats], Floats]:
    target_ranks, value_ranks = _ranks(scored.targets), _ranks(scored.values)

    def resampled(weights: Floats) -> Floats:
        n = weights.sum(axis=1)
        # Mean ranks always average (n + 1) / 2, with or without ties, so this centres them and scales them by n.
        x = (target_ranks(weights) - (n[:, None] + 1) / 2) / n[:, None]
        y = (value_ranks(weights) - (n[:, None] + 1) / 2) / n[:, None]
        sums = [(weights * part).sum(axis=1) for part in (x, y, x * x, y * y, x * y)]
        return _correlation(n, *sums)

    return resampled


def _ranks(values: Array) -> Callable[[Floats], Floats]:
    """Returns a function from weights (R, N) to the ranks (R, N) in each resample; ties get their mean rank."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))

    def mean_ranks(weights: Floats) -> Floats:
        # A group of ties of size s after c smaller values has the mean rank c + (s + 1) / 2.
        sizes = np.add.reduceat(weights[:, order], starts, axis=1)
        return np.asarray((np.cumsum(sizes, axis=1) - sizes + (sizes + 1) / 2)[:, group])

    return mean_ranks


def _standardised(values: Array) -> Floats:
    """Returns the values (N,) with mean 0 and standard deviation 1; exact zeros if they are constant."""
    if np.ptp(values.astype(np.float64)) == 0:
        return np.zeros(len(values))
    x = _scaled(values)
    x = x - x.mean()
    x = x / np.abs(x).max()
    return np.asarray(x / np.sqrt(np.mean(x * x)))


def _scaled(values: Array) -> Floats:
    """Returns the values (N,) divided by a power of two, so that the largest is about 1 and no square overflows."""
    x = values.astype(np.float64)
    # Division by a power of two is exact. Division by the largest value is not, which matters if values differ little.
    return np.asarray(np.ldexp(x, -np.frexp(np.abs(x).max())[1]))


def _correlation(n: Floats, x: Floats | float, y: Floats | float, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    # A constant resample has no correlation and scores 0, the same as a constant prediction.
    variance_x, variance_y = n * xx - x * x, n * yy - y * y
    varied = (variance_x > _FLAT * n * n) & (variance_y > _FLAT * n * n)
    # Roots before the product, because a product of two tiny variances would underflow.
    spread = np.sqrt(np.where(varied, variance_x, 1)) * np.sqrt(np.where(varied, variance_y, 1))
    return np.clip(np.where(varied, (n * xy - x * y) / spread, 0.0), -1, 1)


FORMULAS: dict[str, Formula] = {
    "pearson": Sums(_moments, _pearson, counts=False, accurate=Accurate(_loses_digits, _weighted_pearson)),
    "spearman": Ranks(_spearman),
}
