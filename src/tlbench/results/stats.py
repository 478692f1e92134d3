"""Paired tests of differences on a test split, from stored predictions, and ranks with ties based on them.

Method. A score is the metric averaged over seeds. Its uncertainty has two sources, the sample of test examples and the
sample of seeds, and a two-level bootstrap resamples both. Each resample draws the examples once for all entries of a
task, and the seeds once for all entries with the same seeds (seed s draws the same training subset for every strategy),
so comparisons are paired. Deviations between S seeds are scaled by sqrt(S / (S - 1)), because a bootstrap of few seeds
underestimates their variance. The p-value of a difference is two-sided: the share of resamples whose difference
deviates from the observed one by at least the size of the observed one. It is never smaller than the smallest p-value
that a sign test on the examples with different predictions can give.

Ranks. Entries are sorted by score. All entries below the best are compared to it, with p-values corrected by Holm
(1979). The best and the entries after it, up to the first that differs significantly, share a rank; that first one is
the leader of the next group.

Limits. With one seed only examples are resampled, so the result is about these fitted models, not about the strategies.
In a simulation with 500 examples, equal strategies and fits that vary with their seed, a difference was significant
(alpha 0.05) in 38% of the cases with one seed, in 10% with two, and in 3 to 6% with three to ten: show the number of
seeds and examples beside a rank. If seeds vary little the test has less power than it could. Holm corrects for the
comparisons to one leader, not for all groups of all tasks together. A shared rank means "not distinguished by this much
data", never "equal".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from tlbench.contracts.metric import Metric
from tlbench.metrics import named
from tlbench.metrics.resampling import draw_weights, resampled_alike, score
from tlbench.metrics.scored import Array, Floats, Scored, checked

ALPHA = 0.05
RESAMPLES = 2000
"""Number of bootstrap resamples; `tied_ranks` draws more if it corrects for many comparisons."""


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

    def same_examples(self, other: CellPredictions) -> bool:
        """Returns whether both have the same examples and targets in the same order, which pairing requires."""
        return self is other or (self.ids == other.ids and np.array_equal(self.targets, other.targets))


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


@dataclass(frozen=True)
class RankEntry:
    """An entry to rank: a score, the ends of its 95% interval, and its predictions if they were stored."""

    value: float
    low: float
    high: float
    predictions: CellPredictions | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Rank:
    """The rank of an entry."""

    place: int
    """The rank, counted from 1; after k entries that share rank 1 comes rank k + 1."""
    tied: bool
    """Whether another entry has the same rank."""
    paired: bool
    """Whether the rank comes from paired tests alone; otherwise some comparisons checked whether intervals overlap."""


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
    resampler = _Resampler(metric, a, resamples, seed)
    observed = mean_score(metric, a) - mean_score(metric, b)
    drawn = resampler.draws(a) - resampler.draws(b)
    low, high = np.percentile(drawn, [2.5, 97.5])
    p = max(_p_value(observed, drawn), _sign_test_p(metric, a, b))
    return Difference(observed, float(low), float(high), p, len(a.ids), (len(a.seeds), len(b.seeds)))


def mean_score(metric: str | Metric, predictions: CellPredictions) -> float:
    """Returns the metric averaged over seeds.

    Raises:
        KeyError, ValueError, Diverged: As `score`.
    """
    return float(np.mean([score(metric, row) for row in predictions.scored]))


def tied_ranks(
    metric: str | Metric,
    entries: Sequence[RankEntry],
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Rank]:
    """Returns the rank of each entry of one task, in order; entries without a significant difference share a rank.

    An entry without predictions, or with predictions for other examples than the leader's, differs from the leader if
    their intervals do not overlap. For entries with the same examples that is stricter than a paired test.
    """
    metric = named(metric)
    sign = 1 if metric.greater_is_better else -1
    order = sorted(range(len(entries)), key=lambda i: -sign * entries[i].value)
    # The smallest p-value of a bootstrap with R resamples is 1 / (R + 1). Holm multiplies it by up to the number of
    # comparisons, and it must still come out below alpha: otherwise nothing could differ in a task with many entries.
    comparable = sum(entry.predictions is not None for entry in entries)
    resamples = max(resamples, int(np.ceil(2 * comparable / alpha)))
    test = _Tests(metric, resamples, seed)
    ranks: dict[int, Rank] = {}
    start = 0
    while start < len(order):
        leader, paired_only = entries[order[start]], False
        if leader.predictions is None:
            # Intervals need no correction for their number, so stop at the first one apart.
            rest = range(start + 1, len(order))
            size = next((i for i in rest if _intervals_apart(leader, entries[order[i]])), len(order)) - start
        else:
            # All the rest is compared, not only up to the first that differs: stopping there would make the number of
            # comparisons, and so Holm's correction, depend on their results.
            differs, paired = _compare(leader, [entries[i] for i in order[start + 1 :]], test, alpha)
            size = 1 + (differs.index(True) if True in differs else len(differs))
            # Includes the comparison that ended the group, since the next rank starts there because of it.
            paired_only = all(paired[:size])
        for i in order[start : start + size]:
            ranks[i] = Rank(start + 1, size > 1, paired_only)
        start += size
    return [ranks[i] for i in range(len(entries))]


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values corrected for multiple comparisons, in the order given.

    The paper: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics,
    1979.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, i in enumerate(order):
        # A running maximum: a p-value must not be corrected to less than a smaller one was.
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def _compare(leader: RankEntry, rest: Sequence[RankEntry], test: _Tests, alpha: float) -> tuple[list[bool], list[bool]]:
    """Returns, for each entry of `rest`, whether it differs from the leader and whether a paired test decided that."""
    p_values = [test.p_value(leader, entry) for entry in rest]
    corrected = iter(holm([p for p in p_values if p is not None]))
    differs = [
        next(corrected) < alpha if p is not None else _intervals_apart(leader, entry)
        for p, entry in zip(p_values, rest, strict=True)
    ]
    return differs, [p is not None for p in p_values]


def _intervals_apart(leader: RankEntry, entry: RankEntry) -> bool:
    # Both directions, as for some metrics less is better.
    return entry.high < leader.low or entry.low > leader.high


class _Tests:
    """Paired tests between the entries of one task; each entry is resampled once, however many tests it is in."""

    def __init__(self, metric: Metric, resamples: int, seed: int) -> None:
        self._resamplers: list[tuple[CellPredictions, _Resampler]] = []
        """A resampler for each test split: entries from different versions of the data may have different splits."""
        self._draws: dict[int, Floats] = {}
        """(R,) resampled scores by `id()` of the predictions, which the entries keep alive, so that no id is reused."""
        self._metric, self._resamples, self._seed = metric, resamples, seed

    def p_value(self, a: RankEntry, b: RankEntry) -> float | None:
        """Returns the p-value of the difference between two entries, or None if they cannot be paired."""
        if a.predictions is None or b.predictions is None or not a.predictions.same_examples(b.predictions):
            return None
        p = _p_value(a.value - b.value, self._drawn(a.predictions) - self._drawn(b.predictions))
        return max(p, _sign_test_p(self._metric, a.predictions, b.predictions))

    def _drawn(self, predictions: CellPredictions) -> Floats:
        if id(predictions) not in self._draws:
            self._draws[id(predictions)] = self._resampler(predictions).draws(predictions)
        return self._draws[id(predictions)]

    def _resampler(self, predictions: CellPredictions) -> _Resampler:
        for known, resampler in self._resamplers:
            if known.same_examples(predictions):
                return resampler
        resampler = _Resampler(self._metric, predictions, self._resamples, self._seed)
        self._resamplers.append((predictions, resampler))
        return resampler


class _Resampler:
    """Bootstrap resamples of one test split and of seeds, the same for every entry, so that differences are paired."""

    def __init__(self, metric: Metric, test: CellPredictions, resamples: int, seed: int) -> None:
        self._metric, self._seed = metric, seed
        self._weights = _weights(len(test.ids), resamples, seed)

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
        # A bootstrap's variance of a mean of S values is too small by (S - 1) / S: half of it for two seeds.
        return np.asarray(means + deviations * np.sqrt(count / (count - 1)))


@lru_cache(maxsize=1)
def _weights(n: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    # Cached, because drawing takes long and consecutive tasks of a suite often have as many examples as one another.
    return draw_weights(n, resamples, seed)


def _sign_test_p(metric: Metric, a: CellPredictions, b: CellPredictions) -> float:
    """Returns the smallest p-value that k examples with different predictions can give: 2^(1 - k).

    There are 2^k equally likely ways to swap the two predictions of k examples. A bootstrap of few examples
    underestimates the variance, and would claim significance for too few of them.
    """
    sides = [one.scores if metric.reads_scores and one.scores is not None else one.values for one in (a, b)]
    # Probabilities on one side and classes on the other: all examples differ, and there is no bound.
    if len({side.shape[2:] for side in sides}) > 1:
        return 0.0
    # Seeds are compared in order if there are equally many, and each with each otherwise.
    pairs = zip(*sides, strict=True) if len(a.seeds) == len(b.seeds) else itertools.product(*sides)
    differ = np.zeros(len(a.ids), dtype=bool)
    for of_a, of_b in pairs:
        differ |= np.asarray(of_a != of_b).reshape(len(a.ids), -1).any(axis=1)
    # 2^-999 is still a float, and no bound that matters.
    return float(min(1.0, 2.0 ** (1 - min(1000, int(differ.sum())))))


def _p_value(observed: float, drawn: Floats) -> float:
    # With a tolerance, so that rounding cannot make equal entries, whose every difference is 0, significant.
    extreme = np.abs(drawn - observed) >= abs(observed) - 1e-12
    # With 1 added to both counts (Davison & Hinkley 1997) the p-value is never 0.
    return float((1 + np.count_nonzero(extreme)) / (1 + len(drawn)))
