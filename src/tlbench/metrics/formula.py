"""The two kinds of metric formula that allow fast bootstrap resampling: functions of sums and functions of ranks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

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

    accurate: Accurate | None = None
    """Another way to compute the metric where sums lose too many digits; None if they never do."""

    def resampler(self, metric: Metric, scored: Scored) -> Resampler:
        """Returns a function from weights (R, N) to the metric (R,)."""
        sums_of = weighted_sums(metric.parts(scored), self.counts)

        def values(weights: Floats) -> Floats:
            sums = np.asarray(sums_of(weights), dtype=np.float64)
            return self.corrected(scored, sums, self.value(sums), lambda rows: weights[rows])

        return values

    def corrected(
        self, scored: Scored, sums: Floats, values: Floats, weights_of: Callable[[NDArray[np.intp]], Floats]
    ) -> Floats:
        """Returns the metric (R,) of each resample, computed in the accurate way where sums have lost too many digits.

        Args:
            scored: The sample.
            sums: (R, m) sums of the statistics of each resample.
            values: (R,) the metric that follows from the sums.
            weights_of: Returns the weights (r, N) of the resamples with the given r indices.
        """
        if self.accurate is None:
            return values
        rows = np.flatnonzero(self.accurate.needed(sums))
        if len(rows):
            values = values.copy()
            # One row at a time to save memory: there are few such rows, and each may be as long as the sample.
            for row in rows:
                values[row] = self.accurate.value(scored, weights_of(np.array([row])).astype(np.float64))[0]
        return values


@dataclass(frozen=True)
class Accurate:
    """A slower way to compute a `Sums` metric, for resamples whose variance is tiny compared with the sample's."""

    needed: Callable[[Floats], NDArray[np.bool_]]
    """Returns (R,): whether these sums (R, m) have lost too many digits."""
    value: Callable[[Scored, Floats], Floats]
    """Returns the metric (R,) of the sample with weights (R, N)."""


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
