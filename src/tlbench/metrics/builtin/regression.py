"""Metrics of regression errors, as functions of moments."""

from __future__ import annotations

import numpy as np

from tlbench.metrics.formula import Formula, Sums, mean_of, ratio, with_ones
from tlbench.metrics.scored import Floats, Scored

_FLAT = 1e-13
"""A variance below this fraction of the mean square is rounding error: the targets are constant."""


def _squared(scored: Scored) -> Floats:
    return with_ones((scored.targets - scored.values) ** 2)


def _absolute(scored: Scored) -> Floats:
    return with_ones(np.abs(scored.targets - scored.values))


def _moments(scored: Scored) -> Floats:
    """Returns (N, 4): 1, the squared error, the target centred by the sample's mean, and its square."""
    error = scored.targets - scored.values
    # Centring first avoids the cancellation of E[y^2] - E[y]^2 when the mean is large against the spread.
    centred = scored.targets - scored.targets.mean()
    return np.stack([np.ones(len(error)), error * error, centred, centred * centred], axis=1)


def _r2(sums: Floats) -> Floats:
    n, residual, centred, square = np.moveaxis(sums, -1, 0)
    # The mean of a resample differs from that of the sample, hence the correction by `centred`.
    total = square - centred * centred / np.maximum(n, 1)
    varied = total > _FLAT * square
    explained = 1 - ratio(residual, np.where(varied, total, 1.0))
    # With constant targets R² is 1 if all predictions are exact, else 0, as in scikit-learn.
    return np.where(varied, explained, (residual <= 0).astype(np.float64))


FORMULAS: dict[str, Formula] = {
    "mse": Sums(_squared, mean_of, counts=False),
    "rmse": Sums(_squared, lambda sums: np.sqrt(mean_of(sums)), counts=False),
    "mae": Sums(_absolute, mean_of, counts=False),
    "r2": Sums(_moments, _r2, counts=False),
}
