"""Confidence intervals of a strategy's expected score, over new test examples and new seeds."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tlbench.metrics.at_bounds import CONFIDENCE, interval_at_bound
from tlbench.metrics.scored import Floats
from tlbench.results.significance.components import Components, at_least_residual

if TYPE_CHECKING:
    from tlbench.contracts.metric import Metric

FEWEST_SEEDS = 3
"""Smallest number of seeds for an interval: with two, it would be so wide that it is useless."""
MANY = 150
"""Degrees of freedom from which a variance over examples counts as known: the t distribution's quantile is then within
1% of the normal one."""
_NODES = 64
_FEWER_NODES = 16
"""Number of nodes for the part from examples (`_NODES`: from seeds); more change the width by less than 0.2%."""


def interval(cell: Components, metric: Metric) -> tuple[float, float]:
    """Returns the 95% interval of the score that a strategy gets on average over examples and seeds.

    The error of the score is the sum of a part from the examples, which is normal, or has Student's t distribution if
    there are few examples or groups, and a part from the seeds, which has a t distribution with S - 1 degrees of
    freedom; half the width is the 95% quantile of its absolute value. For a metric with two bounds the interval is
    computed on the logit scale, so that it stays within them.

    Raises:
        ValueError: The cell has fewer than `FEWEST_SEEDS` seeds.
    """
    half, count = _half(cell), len(cell.by_example)
    low, high = metric.lowest, metric.highest
    if low is not None and high is not None and high <= low:
        return cell.score - half, cell.score + half
    if low is None or high is None:
        # The interval of a metric with one bound, such as a root mean squared error, is cut off at the bound.
        return max(cell.score - half, -math.inf if low is None else low), min(
            cell.score + half, math.inf if high is None else high
        )
    share = (cell.score - low) / (high - low)
    if not 0 < share < 1:
        return interval_at_bound(share, low, high, count)
    logit = np.log(share / (1 - share))
    spread = half / (high - low) / (share * (1 - share))
    ends = 1 / (1 + np.exp(-np.array([logit - spread, logit + spread])))
    return float(low + (high - low) * ends[0]), float(low + (high - low) * ends[1])


def mean_interval(cell: Components) -> tuple[float, float]:
    """Returns the 95% interval of a mean over tasks, on the scale from the floor (0) to the best value (1).

    Raises:
        ValueError: The variance between seeds has fewer than `FEWEST_SEEDS` - 1 degrees of freedom.
    """
    half = _half(cell)
    return cell.score - half, min(1.0, cell.score + half)


def _half(cell: Components) -> float:
    """Returns half the width of the interval of a score, without regard to the metric's bounds."""
    if cell.seeds < FEWEST_SEEDS:
        raise ValueError(f"{cell.seeds:g} seeds do not show how much a score varies between seeds")
    count = len(cell.by_example)
    # The variance from examples and that between seeds both include the residual part, which must count only once.
    residual, seeds = cell.residual_variance / cell.seeds, cell.seed_variance / cell.seeds
    examples = max(0.0, float(cell.by_example.var(ddof=1)) / count - residual)
    total = float(at_least_residual(np.asarray(examples + seeds), np.asarray(residual)))
    return half_width(total - seeds, cell.example_df, seeds, cell.seeds - 1)


def half_width(examples: float, example_df: float, seeds: float, seed_df: float) -> float:
    """Returns the 95% quantile of |E + S|, where E and S are independent t variables.

    `examples` and `seeds` are the squares of their scales. From `MANY` degrees of freedom on, E counts as normal.
    """
    from scipy.special import ndtr

    if examples + seeds <= 0:
        return 0.0
    scales, weights = _chi_squared(seed_df)
    variances = examples + seeds / scales
    if example_df < MANY:
        of_examples, others = _chi_squared(example_df, _FEWER_NODES)
        variances = examples / of_examples[:, None] + seeds / scales[None, :]
        weights = others[:, None] * weights[None, :]
    # Given the chi-squared variables in the denominators of the t variables, E + S is normal.
    deviations = np.sqrt(variances)
    low, high = 0.0, float(deviations.max()) * 10
    for _ in range(40):
        middle = (low + high) / 2
        inside = float((weights * (2 * ndtr(middle / deviations) - 1)).sum())
        low, high = (middle, high) if inside < CONFIDENCE else (low, middle)
    return high


@lru_cache(maxsize=64)
def _chi_squared(df: float, count: int = _NODES) -> tuple[Floats, Floats]:
    """Returns quantiles of chi-squared / df at the Gauss-Legendre nodes on (0, 1), and weights, which sum to 1."""
    from scipy.special import chdtri

    nodes, weights = np.polynomial.legendre.leggauss(count)
    return np.asarray(chdtri(df, 1 - (nodes + 1) / 2) / df), weights / 2
