"""Metrics of how far numbers are off: functions of moments."""

from __future__ import annotations

import numpy as np

from tlbench.metrics.formula import Formula, Sums, mean_of, ratio, with_ones
from tlbench.metrics.scored import Floats, Scored

_FLAT = 1e-13
"""A variance below this share of the whole sample's mean square is what rounding leaves of 0."""


def _squared(scored: Scored) -> Floats:
    return with_ones((scored.targets - scored.values) ** 2)


def _absolute(scored: Scored) -> Floats:
    return with_ones(np.abs(scored.targets - scored.values))


def _moments(scored: Scored) -> Floats:
    """Returns (N, 4): 1, the squared error, the target about the sample's mean, and its square."""
    error = scored.targets - scored.values
    about = scored.targets - scored.targets.mean()
    return np.stack([np.ones(len(error)), error * error, about, about * about], axis=1)


def _r2(sums: Floats) -> Floats:
    n, residual, about, square = np.moveaxis(sums, -1, 0)
    total = square - about * about / np.maximum(n, 1)
    varied = total > _FLAT * square
    explained = 1 - ratio(residual, np.where(varied, total, 1.0))
    # Of targets that are all alike: 1 for what is right, else 0, as in scikit-learn.
    return np.where(varied, explained, (residual <= 0).astype(np.float64))


FORMULAS: dict[str, Formula] = {
    "mse": Sums(_squared, mean_of, counts=False),
    "rmse": Sums(_squared, lambda sums: np.sqrt(mean_of(sums)), counts=False),
    "mae": Sums(_absolute, mean_of, counts=False),
    "r2": Sums(_moments, _r2, counts=False),
}
