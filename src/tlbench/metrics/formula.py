"""The two shapes that a metric's formula can have, so that a thousand resamples of the examples take milliseconds."""

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
    """A metric that is a function of the sums of a few numbers of each example."""

    parts: Callable[[Scored], Floats]
    """Returns (N, m), the numbers of each example."""
    value: Callable[[Floats], Floats]
    """Returns (...), the metric of each row of sums (..., m)."""
    counts: bool = True
    """Whether the numbers are small and whole, so that their sums are exact in single precision."""

    def resampler(self, metric: Metric, scored: Scored) -> Resampler:
        """Returns a function from weights (R, N) to the metric (R,)."""
        sums = weighted_sums(metric.parts(scored), self.counts)
        return lambda weights: self.value(np.asarray(sums(weights), dtype=np.float64))


@dataclass(frozen=True)
class Ranks:
    """A metric that is a function of the order of the examples."""

    prepared: Callable[[Scored], Callable[[Floats], Floats]]
    """Returns what gives the metric (R,) on each resample, which is told as the weight of each example, (R, N)."""

    def resampler(self, metric: Metric, scored: Scored) -> Resampler:
        """Returns a function from weights (R, N) to the metric (R,)."""
        from_weights = self.prepared(scored)
        return lambda weights: from_weights(weights.astype(np.float64))


Formula: TypeAlias = Sums | Ranks


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Returns one by the other, and 0 where there is nothing to divide by."""
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0)


def mean_of(parts: Floats) -> Floats:
    """Returns (...), the mean, of sums (..., 2) of a value and of how many there are."""
    return ratio(parts[..., 0], parts[..., 1])


def with_ones(values: Floats) -> Floats:
    """Returns (N, 2): a value of each example, and 1 for the example."""
    return np.stack([values, np.ones(len(values))], axis=1)
