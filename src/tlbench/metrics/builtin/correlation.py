"""Correlations: Pearson's is a function of moments, Spearman's takes the ranks of each resample, which weights give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tlbench.metrics.formula import Formula, Ranks, Sums
from tlbench.metrics.scored import Array, Floats, Scored

_FLAT = 1e-13
"""A variance below this share of the whole sample's is what rounding leaves of 0."""


def _moments(scored: Scored) -> Floats:
    x, y = _standardised(scored.targets), _standardised(scored.values)
    return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1)


def _pearson(sums: Floats) -> Floats:
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return _correlation(n, x, y, xx, yy, xy)


def _spearman(scored: Scored) -> Callable[[Floats], Floats]:
    targets, values = _ranks(scored.targets), _ranks(scored.values)

    def resampled(weights: Floats) -> Floats:
        n = weights.sum(axis=1)
        # Mid-ranks average (n + 1) / 2 whatever the ties, so that this centres and scales both sides.
        x = (targets(weights) - (n[:, None] + 1) / 2) / n[:, None]
        y = (values(weights) - (n[:, None] + 1) / 2) / n[:, None]
        sums = [(weights * part).sum(axis=1) for part in (x, y, x * x, y * y, x * y)]
        return _correlation(n, *sums)

    return resampled


def _ranks(values: Array) -> Callable[[Floats], Floats]:
    """Returns what gives (R, N): the mean rank that each value has in each resample (R, N), ties sharing theirs."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))

    def mean_ranks(weights: Floats) -> Floats:
        sizes = np.add.reduceat(weights[:, order], starts, axis=1)
        return np.asarray((np.cumsum(sizes, axis=1) - sizes + (sizes + 1) / 2)[:, group])

    return mean_ranks


def _standardised(values: Array) -> Floats:
    """Returns the values about their mean in units of their spread, exact zeros where they are constant."""
    x = values.astype(np.float64)
    if np.ptp(x) == 0:
        return np.zeros(len(x))
    x = x / np.abs(x).max()
    x = x - x.mean()
    x = x / np.abs(x).max()
    return np.asarray(x / np.sqrt(np.mean(x * x)))


def _correlation(n: Floats, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    variance_x, variance_y = n * xx - x * x, n * yy - y * y
    varied = (variance_x > _FLAT * n * n) & (variance_y > _FLAT * n * n)
    # Roots before the product: a product of two tiny variances would underflow.
    spread = np.sqrt(np.where(varied, variance_x, 1)) * np.sqrt(np.where(varied, variance_y, 1))
    return np.clip(np.where(varied, (n * xy - x * y) / spread, 0.0), -1, 1)


FORMULAS: dict[str, Formula] = {
    "pearson": Sums(_moments, _pearson, counts=False),
    "spearman": Ranks(_spearman),
}
