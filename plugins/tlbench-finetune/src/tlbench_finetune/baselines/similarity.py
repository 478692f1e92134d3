"""Turns similarities of pairs into numbers by least squares, and into two classes by a threshold."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tlbench import Metric
from tlbench.metrics.resampling import resampled
from tlbench.metrics.scored import Scored, checked

Floats: TypeAlias = NDArray[np.float64]
MOST_THRESHOLDS = 1000
"""The largest number of thresholds that are tried; more of them would lie within the noise of the similarities."""
_MARGIN = 0.01
"""Distance of the outermost thresholds, which give all pairs one class, from the extreme similarities."""
_STEEPEST = 1000.0


def least_squares(similarities: Floats, targets: NDArray[Any]) -> tuple[float, float]:
    """Returns slope and offset of the line with the least squared error; slope 0 if the similarities are constant."""
    centred = similarities - similarities.mean()
    variance = float(centred @ centred)
    slope = float(centred @ (targets - targets.mean())) / variance if variance > 0 else 0.0
    return slope, float(targets.mean() - slope * similarities.mean())


def best_logit(similarities: Floats, targets: NDArray[Any], metric: Metric, positive: int = 1) -> tuple[float, float]:
    """Returns slope and offset of the logit of class 1, whose zero is the threshold with the best metric.

    Thresholds lie between neighbouring similarities; both directions are tried. Ties go to the most accurate
    one, then to class 1 above the threshold, then to the lowest threshold. The slope maximises the likelihood.

    Args:
        similarities: The similarity of each pair, (N,).
        targets: The class of each pair, 0 or 1, (N,).
        metric: The metric to optimise.
        positive: The positive class of binary metrics.
    """
    thresholds = _thresholds(similarities)
    # With two classes there are four kinds of (target, prediction), so each threshold is described by their counts.
    above = [_count_above(similarities[targets == c], thresholds) for c in (0, 1)]
    below = [(targets == c).sum() - count for c, count in enumerate(above)]
    upward = np.stack([below[0], above[0], below[1], above[1]], axis=1)
    weights = np.concatenate([upward, upward[:, [1, 0, 3, 2]]])
    pairs = Scored(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), positive=positive)
    scores = resampled(metric, checked(metric, pairs), weights) * (1 if metric.greater_is_better else -1)
    # Rounded, so that scores that are equal up to the last bits count as equal; lexsort is stable.
    order = np.lexsort((-(weights[:, 0] + weights[:, 3]), -np.round(scores, 12)))
    best = int(order[0])
    threshold = float(thresholds[best % len(thresholds)])
    direction = 1.0 if best < len(thresholds) else -1.0
    slope = direction * _steepness(direction * (similarities - threshold), targets)
    return slope, -slope * threshold


def _thresholds(similarities: Floats) -> Floats:
    values = np.unique(similarities)
    middles = (values[1:] + values[:-1]) / 2
    if len(middles) > MOST_THRESHOLDS:
        middles = middles[np.linspace(0, len(middles) - 1, MOST_THRESHOLDS).astype(int)]
    return np.concatenate([[values[0] - _MARGIN], middles, [values[-1] + _MARGIN]])


def _count_above(similarities: Floats, thresholds: Floats) -> NDArray[np.int64]:
    return len(similarities) - np.searchsorted(np.sort(similarities), thresholds, side="right")


def _steepness(distances: Floats, targets: NDArray[Any]) -> float:
    """Returns the steepness of the logistic function of signed distances that has the highest likelihood."""
    from scipy.optimize import minimize_scalar

    signed = distances * np.where(targets == 1, 1, -1)
    result = minimize_scalar(
        lambda log_steepness: float(np.logaddexp(0, -np.exp(log_steepness) * signed).mean()),
        bounds=(-np.log(_STEEPEST), np.log(_STEEPEST)),
        method="bounded",
    )
    return float(np.exp(result.x))
