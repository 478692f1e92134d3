"""The two kinds of metric formula that allow fast bootstrap resampling: functions of sums and functions of ranks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tlbench.contracts.metric import Metric, weighted_sums
from tlbench.metrics.scored import Floats, Scored

if TYPE_CHECKING:
    from tlbench.contracts.metric import Resampler


@dataclass(frozen=True)
class Sums:
    """A metric that is a function of sums over examples, such as accuracy or Pearson's correlation."""

    parts: Callable[[Scored], Floats]
    """Returns the statistics (N, m) of each example."""
    value: Callable[[Floats], Floats]
    """Returns the metric (...) for each row of sums (..., m)."""
    counts: bool = True
    """Whether the statistics are integers, whose sums are exact in floating point, in any order of addition."""

    def resampler(self, metric: Metric, scored: Scored) -> Resampler:
        """Returns a function from weights (R, N) to the metric (R,)."""
        sums = weighted_sums(metric.parts(scored), self.counts)
        return lambda weights: self.value(np.asarray(sums(weights), dtype=np.float64))


@dataclass(frozen=True)
class Ranks:
    """A metric that is a function of ranks, such as Spearman's correlation or ROC AUC."""

    prepared: Callable[[Scored], Callable[[Floats], Floats]]
    """Sorts the examples once and returns a function from weights (R, N) to the metric (R,) of each resample."""

    def resampler(self, metric: Metric, scored: Scored) -> Resampler:
        """Returns a function from weights (R, N) to the metric (R,)."""
        from_weights = self.prepared(scored)
        return lambda weights: from_weights(weights.astype(np.float64))


Formula: TypeAlias = Sums | Ranks


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Returns the quotient, and 0 where the denominator is 0, as scikit-learn does with `zero_division=0`."""
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0)


def mean_of(parts: Floats) -> Floats:
    """Returns the mean (...) for sums (..., 2) of values and counts."""
    return ratio(parts[..., 0], parts[..., 1])


def with_ones(values: Floats) -> Floats:
    """Returns (N, 2): the values and a column of ones, whose sum is the number of examples in a resample."""
    return np.stack([values, np.ones(len(values))], axis=1)
