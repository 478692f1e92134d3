"""The difference between two cells' scores on one test split, by a bootstrap of stored predictions.

A score is the metric averaged over seeds. Its uncertainty has two sources, the sample of test examples and the sample
of seeds, and a two-level bootstrap resamples both. Each resample draws the examples once for both cells, and the seeds
once if both have the same seeds, so the comparison is paired. Deviations between S seeds are scaled by sqrt(S / (S -
1)), because a bootstrap of few seeds underestimates their variance. The p-value is two-sided: the share of resamples
whose difference deviates from the observed one by at least the size of the observed one. It is never smaller than the
smallest p-value that a sign test on the examples with different predictions can give.

Limits. With one seed only examples are resampled, so the result is about these fitted models, not about the strategies.
With few seeds whose scores vary much, the error rate exceeds the nominal one: ranks use `significance/all_pairs.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from tlbench.contracts.metric import Metric
from tlbench.metrics import named
from tlbench.metrics.groups import joined_groups
from tlbench.metrics.resampling import draw_weights, resampled_alike, score
from tlbench.metrics.scored import Array, Floats, Scored, checked

RESAMPLES = 2000
"""Number of bootstrap resamples."""
AGREEMENT = 1e-6
"""Largest relative difference between a recorded score and the score of its stored predictions."""


@dataclass(frozen=True)
class CellPredictions:
    """The test predictions of one cell: N examples, predicted by the fits of S seeds.

    Raises:
        ValueError: There are no examples or no seeds, or the shapes do not match.
    """

    ids: tuple[str, ...]
    targets: Array
    """Targets, (N,) or (N, K), as in `Scored`."""
    values: Array
    """Predictions, (S, N) or (S, N, K), in the order of `seeds` and `ids`."""
    seeds: tuple[int, ...]
    scores: Array | None = None
    """(S, N, K) probabilities, for metrics that read them; None if they were not stored or not read."""
    positive: int = 1
    """The class that binary metrics count as positive."""
    groups: Array | None = None
    """(N,) numbers from 0 of the groups of examples that are not independent; None if all are."""

    def __post_init__(self) -> None:
        n, s = len(self.ids), len(self.seeds)
        shape = np.shape(self.targets)
        fits = shape[:1] == (n,) and np.shape(self.values) == (s, *shape)
        if self.scores is not None:
            fits = fits and np.shape(self.scores)[:2] == (s, n)
        if not n or not s or not fits:
            shapes = f"{n} ids, {s} seeds, targets {shape}, values {np.shape(self.values)}"
            raise ValueError(f"predictions do not fit together: {shapes}")

    @cached_property
    def scored(self) -> tuple[Scored, ...]:
        """The predictions of each seed as input for metrics, (N,) each."""
        scores = [None] * len(self.seeds) if self.scores is None else list(self.scores)
        rows = zip(self.values, scores, strict=True)
        return tuple(Scored(self.targets, values, probabilities, self.positive) for values, probabilities in rows)

    @cached_property
    def independent(self) -> Array:
        """(N,): the group of each example as a number from 0; without groups each example is one of its own."""
        return np.arange(len(self.ids)) if self.groups is None else self.groups

    def same_examples(self, other: CellPredictions) -> bool:
        """Returns whether both have the same examples and targets in the same order, which paired tests require.

        Groups may differ: a record may be older than its task's groups (`joint_groups`).
        """
        return self is other or (self.ids == other.ids and np.array_equal(self.targets, other.targets))


def joint_groups(predictions: Sequence[CellPredictions]) -> list[CellPredictions]:
    """Returns the given predictions, which are for the same examples, with joint groups.

    Examples that are in one group in any of the predictions are in one group in all of them. So if some records are
    older than the groups of their task, the groups of the newer records count for all.
    """
    groups = joined_groups([one.groups for one in predictions])
    return [one if one.groups is groups else replace(one, groups=groups) for one in predictions]


@dataclass(frozen=True)
class Difference:
    """The difference between two scores, in units of the metric."""

    value: float
    low: float
    """Lower end of the 95% percentile bootstrap interval."""
    high: float
    p: float
    """Two-sided p-value."""
    n: int
    """Number of test examples."""
    seeds: tuple[int, int]
    """Number of seeds on each side."""


def paired_difference(
    metric: str | Metric, a: CellPredictions, b: CellPredictions, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """Returns the score of `a` minus the score of `b` on the same examples, with its interval and p-value.

    Raises:
        ValueError: `a` and `b` are not predictions for the same examples in the same order.
    """
    if not a.same_examples(b):
        raise ValueError("only predictions for the same examples, in the same order, can be compared in pairs")
    metric = named(metric)
    a, b = joint_groups((a, b))
    resampler = _Resampler(metric, a, resamples, seed)
    observed = mean_score(metric, a) - mean_score(metric, b)
    drawn = resampler.draws(a) - resampler.draws(b)
    low, high = np.percentile(drawn, [2.5, 97.5])
    p = max(_p_value(observed, drawn), smallest_p(metric, a, b))
    return Difference(observed, float(low), float(high), p, len(a.ids), (len(a.seeds), len(b.seeds)))


def mean_score(metric: str | Metric, predictions: CellPredictions) -> float:
    """Returns the metric averaged over seeds.

    Raises:
        KeyError, ValueError, Diverged: As `score`.
    """
    return float(np.mean([score(metric, row) for row in predictions.scored]))


def reproduces(metric: str | Metric, predictions: CellPredictions, value: float) -> bool:
    """Returns whether the score of the predictions equals a recorded score, up to rounding.

    Raises:
        KeyError, ValueError, Diverged: As `score`.
    """
    return abs(mean_score(metric, predictions) - value) <= AGREEMENT * max(1.0, abs(value))


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values corrected for multiple comparisons, in the order given.

    The paper: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics,
    1979.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, i in enumerate(order):
        # A running maximum keeps corrected p-values in the order of the uncorrected ones.
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = highest
    return adjusted


class _Resampler:
    """Bootstrap resamples of one test split and of seeds, the same for every entry, so that differences are paired."""

    def __init__(self, metric: Metric, test: CellPredictions, resamples: int, seed: int) -> None:
        self._metric, self._seed = metric, seed
        weights = _weights(int(test.independent.max()) + 1, resamples, seed)
        self._weights = weights if test.groups is None else weights[:, test.groups]

    def draws(self, predictions: CellPredictions) -> Floats:
        """Returns (R,): the score averaged over seeds, on each resample of examples and seeds."""
        rows = [checked(self._metric, row) for row in predictions.scored]
        scores = np.stack(resampled_alike(self._metric, rows, self._weights))  # (S, R)
        count = len(predictions.seeds)
        means = scores.mean(axis=0)
        # A single seed has no spread to resample.
        if count == 1:
            return np.asarray(means)
        # Seeded by the seeds themselves: entries with the same seeds draw the same ones in every resample, so what a
        # seed means for both, such as its training subset, cancels in their difference.
        generator = np.random.default_rng([self._seed, *predictions.seeds])
        drawn = generator.integers(0, count, size=scores.shape)
        deviations = np.take_along_axis(scores, drawn, axis=0).mean(axis=0) - means
        # A bootstrap gives only (S - 1) / S of the variance of a mean of S values, which is half of it for two seeds.
        return np.asarray(means + deviations * np.sqrt(count / (count - 1)))


@lru_cache(maxsize=1)
def _weights(n: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    # Cached, because drawing takes long and consecutive tasks of a suite often have as many examples as one another.
    return draw_weights(n, resamples, seed)


def smallest_p(metric: Metric, a: CellPredictions, b: CellPredictions) -> float:
    """Returns the smallest p-value that k examples, or groups of them, with different predictions can give: 2^(1 - k).

    There are 2^k equally likely ways to swap the two predictions of k examples. A bootstrap of few examples
    underestimates the variance, and would claim significance for too few of them.
    """
    sides = [one.scores if metric.reads_scores and one.scores is not None else one.values for one in (a, b)]
    # Probabilities on one side and classes on the other: all examples differ, and there is no bound.
    if len({side.shape[2:] for side in sides}) > 1:
        return 0.0
    # With equally many seeds, compare the i-th of `a` with the i-th of `b`; otherwise compare all pairs.
    pairs = zip(*sides, strict=True) if len(a.seeds) == len(b.seeds) else itertools.product(*sides)
    differ = np.zeros(len(a.ids), dtype=bool)
    for of_a, of_b in pairs:
        differ |= np.asarray(of_a != of_b).reshape(len(a.ids), -1).any(axis=1)
    count = len(np.unique(a.independent[differ]))
    # 2^-999 is still a float, and no bound that matters.
    return float(min(1.0, 2.0 ** (1 - min(1000, count))))


def _p_value(observed: float, drawn: Floats) -> float:
    # With a tolerance, so that rounding cannot make equal entries, whose every difference is 0, significant.
    extreme = np.abs(drawn - observed) >= abs(observed) - 1e-12
    # With 1 added to both counts (Davison & Hinkley 1997) the p-value is never 0.
    return float((1 + np.count_nonzero(extreme)) / (1 + len(drawn)))
