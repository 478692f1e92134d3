"""Intervals of scores at a bound of their metric, such as of a fit that is right on all examples.

All bootstrap resamples of such a sample are equal, so that they show no spread; yet a model without an error on 20
examples may err on one in ten. Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404, give the interval of a share of 0
or 1; without errors among n it is about 3 / n wide ("rule of three", Hanley and Lippman-Hand 1983,
doi:10.1001/jama.1983.03330370053031).
"""

from __future__ import annotations

import numpy as np

from tlbench.contracts.metric import Metric
from tlbench.metrics.scored import Array

CONFIDENCE = 0.95


def interval_at_bound(
    share: float, low: float, high: float, count: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Returns the interval of a score at a bound of its metric: as of the share of examples that are right, or wrong.

    For an accuracy it is exact. For other bounded metrics, it is the range that the score would cross if it fell, or
    rose, in proportion to the share.

    Args:
        share: The score as a share of the metric's range: 0 or 1.
        low: The metric's lower bound.
        high: The metric's upper bound.
        count: The number of independent examples, or groups of them.
        confidence: The probability with which intervals should hold the true score.
    """
    reach = (high - low) * (1 - (1 - confidence) ** (1 / count) if share in (0, 1) else 0.0)
    return (high - reach, high) if share >= 1 else (low, low + reach)


def widened_at_bound(
    metric: Metric, ends: tuple[float, float], count: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Returns the ends of a bootstrap interval, or `interval_at_bound` if both are the same bound of the metric.

    A metric without two bounds, such as a root mean squared error, keeps its interval.
    """
    low, high = metric.lowest, metric.highest
    if ends[0] != ends[1] or low is None or high is None or not low < high or ends[0] not in (low, high):
        return ends
    return interval_at_bound(float(ends[0] == high), low, high, count, confidence)


def effective_number(groups: Array) -> float:
    """Returns the number of equal groups that are worth as much as these: (sum of sizes)^2 / sum of squared sizes.

    Kish 1965, Survey Sampling. Groups of one size count in full; a group of half of all examples leaves fewer than 4.

    Args:
        groups: (N,) the group of each example, as numbers from 0.
    """
    sizes = np.bincount(groups).astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum())
