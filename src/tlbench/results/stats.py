"""Which differences on a test split are real: paired comparisons from stored predictions, and ranks that may be tied.

The method. A score is the metric averaged over seeds. Its uncertainty comes from two draws, that of the test examples
and that of the seeds, and a two-level bootstrap repeats both: every resample draws the examples once for all entries
of a task, and the seeds once for all entries that ran the same seeds (seed s draws the same training subset for every
strategy), so that comparisons are paired. Deviations between the S seeds are widened by sqrt(S / (S - 1)), without
which a bootstrap of few seeds has too small a variance. A difference of two entries is tested two-sided, by how often
the resampled difference lies as far from the observed one as the observed one from 0, and never with more certainty
than a sign test could have of the examples that the two answer differently.

Ranks. Entries are ordered by score; all below the best are compared to it and the p-values corrected by Holm. The best
and those that follow it, up to the first that differs from it, share a rank; that first one leads the next group.

The limits. With one seed only the examples are drawn: the answer is about these fitted models, not the strategies.
Where fits did vary with their seed, and the strategies were equal, a simulation of 500 examples found a difference
(alpha .05) in 38% of the cases with one seed, in 10% with two, in 3 to 6% with three to ten. So print the number of
seeds and examples beside a rank. Where seeds vary little the test finds less than it could. Holm guards the comparisons
to one leader, not all groups of all tasks together. Sharing a rank means "not told apart by this much data", never
"equal".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlbench.contracts.metric import Metric
from tlbench.metrics import named
from tlbench.metrics.resampling import draw_weights, resampled_alike, score
from tlbench.metrics.scored import Array, Floats, Scored, checked

ALPHA = 0.05
RESAMPLES = 2000


@dataclass(frozen=True)
class CellPredictions:
    """The stored predictions of one cell: what each seed's predictor said of each test example.

    Raises:
        ValueError: The parts do not fit together.
    """

    ids: tuple[str, ...]
    targets: Array
    """(N,) or (N, K), as in `Scored`."""
    values: Array
    """(S, N) or (S, N, K), one row for each seed."""
    seeds: tuple[int, ...]
    scores: Array | None = None
    """(S, N, K) probabilities, for a metric that reads them."""
    positive: int = 1

    def __post_init__(self) -> None:
        n, s = len(self.ids), len(self.seeds)
        shape = np.shape(self.targets)
        fits = shape[:1] == (n,) and np.shape(self.values) == (s, *shape)
        if self.scores is not None:
            fits = fits and np.shape(self.scores)[:2] == (s, n)
        if not n or not s or not fits:
            shapes = f"{n} ids, {s} seeds, targets {shape}, values {np.shape(self.values)}"
            raise ValueError(f"predictions whose parts do not fit: {shapes}")

    @cached_property
    def scored(self) -> tuple[Scored, ...]:
        """What metrics read of each seed."""
        scores = [None] * len(self.seeds) if self.scores is None else list(self.scores)
        rows = zip(self.values, scores, strict=True)
        return tuple(Scored(self.targets, values, given, self.positive) for values, given in rows)

    def same_examples(self, other: CellPredictions) -> bool:
        """Says whether both answer the same examples in the same order, so that they can be compared in pairs."""
        return self is other or (self.ids == other.ids and np.array_equal(self.targets, other.targets))


@dataclass(frozen=True)
class Difference:
    """How far the score of one entry lies above another's, in units of the metric."""

    value: float
    low: float
    """Lower end of the 95% interval."""
    high: float
    p: float
    """Two-sided."""
    n: int
    """How many examples."""
    seeds: tuple[int, int]
    """How many seeds each side had."""


@dataclass(frozen=True)
class RankEntry:
    """What is to be ranked: a score, the ends of its interval, and the predictions if they were kept."""

    value: float
    low: float
    high: float
    predictions: CellPredictions | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Rank:
    """A place, counted from 1; entries that share it are tied."""

    place: int
    tied: bool
    paired: bool
    """Whether every comparison that it took was a paired test; else some were of intervals that overlap or do not."""


def paired_difference(
    metric: str | Metric, a: CellPredictions, b: CellPredictions, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """Returns the score of a minus that of b over the same examples, with its interval and p-value.

    Raises:
        ValueError: They do not answer the same examples in the same order.
    """
    if not a.same_examples(b):
        raise ValueError("only predictions for the same examples, in the same order, can be compared in pairs")
    metric = named(metric)
    resampler = _Resampler(metric, a, resamples, seed)
    observed = mean_score(metric, a) - mean_score(metric, b)
    drawn = resampler.draws(a) - resampler.draws(b)
    low, high = np.percentile(drawn, [2.5, 97.5])
    p = max(_p_value(observed, drawn), _least_p(metric, a, b))
    return Difference(observed, float(low), float(high), p, len(a.ids), (len(a.seeds), len(b.seeds)))


def mean_score(metric: str | Metric, predictions: CellPredictions) -> float:
    """Returns the metric averaged over seeds; raises as `score`."""
    return float(np.mean([score(metric, row) for row in predictions.scored]))


def tied_ranks(
    metric: str | Metric,
    entries: Sequence[RankEntry],
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Rank]:
    """Returns the rank of each entry of one task, in the order given; those that cannot be told apart share theirs.

    Entries without predictions, or with predictions for other examples than the leader's, are told apart where their
    intervals do not overlap: of those that share their examples that is stricter than a paired test.
    """
    metric = named(metric)
    sign = 1 if metric.greater_is_better else -1
    order = sorted(range(len(entries)), key=lambda i: -sign * entries[i].value)
    # Holm divides alpha by the number of comparisons: the smallest p-value there is must still be below that.
    comparable = sum(entry.predictions is not None for entry in entries)
    resamples = max(resamples, int(np.ceil(2 * comparable / alpha)))
    test = _Tests(metric, resamples, seed)
    ranks: dict[int, Rank] = {}
    start = 0
    while start < len(order):
        leader, tested = entries[order[start]], False
        if leader.predictions is None:
            # Intervals need no correction for their number: the first that lies apart ends the group.
            rest = range(start + 1, len(order))
            size = next((i for i in rest if _lies_apart(leader, entries[order[i]])), len(order)) - start
        else:
            differs, paired = _told_apart(leader, [entries[i] for i in order[start + 1 :]], test, alpha)
            size = 1 + (differs.index(True) if True in differs else len(differs))
            # The comparison that ended the group counts: it is why the next place begins there.
            tested = all(paired[:size])
        for i in order[start : start + size]:
            ranks[i] = Rank(start + 1, size > 1, tested)
        start += size
    return [ranks[i] for i in range(len(entries))]


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns the p-values adjusted for being several (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def _told_apart(
    leader: RankEntry, rest: Sequence[RankEntry], test: _Tests, alpha: float
) -> tuple[list[bool], list[bool]]:
    p_values = [test.p_value(leader, entry) for entry in rest]
    adjusted = iter(holm([p for p in p_values if p is not None]))
    differs = [
        next(adjusted) < alpha if p is not None else _lies_apart(leader, entry)
        for p, entry in zip(p_values, rest, strict=True)
    ]
    return differs, [p is not None for p in p_values]


def _lies_apart(leader: RankEntry, entry: RankEntry) -> bool:
    return entry.high < leader.low or entry.low > leader.high


class _Tests:
    """Paired tests between the entries of one task; what was resampled for one test is kept for the next."""

    def __init__(self, metric: Metric, resamples: int, seed: int) -> None:
        self._made: list[tuple[CellPredictions, _Resampler]] = []
        self._draws: dict[int, Floats] = {}
        self._arguments: Any = (metric, resamples, seed)

    def p_value(self, a: RankEntry, b: RankEntry) -> float | None:
        if a.predictions is None or b.predictions is None or not a.predictions.same_examples(b.predictions):
            return None
        p = _p_value(a.value - b.value, self._drawn(a.predictions) - self._drawn(b.predictions))
        return max(p, _least_p(self._arguments[0], a.predictions, b.predictions))

    def _drawn(self, predictions: CellPredictions) -> Floats:
        if id(predictions) not in self._draws:
            self._draws[id(predictions)] = self._resampler(predictions).draws(predictions)
        return self._draws[id(predictions)]

    def _resampler(self, predictions: CellPredictions) -> _Resampler:
        for known, resampler in self._made:
            if known.same_examples(predictions):
                return resampler
        metric, resamples, seed = self._arguments
        self._made.append((predictions, _Resampler(metric, predictions, resamples, seed)))
        return self._made[-1][1]


class _Resampler:
    """Draws of the examples of one test split and of seeds, the same for every entry."""

    def __init__(self, metric: Metric, test: CellPredictions, resamples: int, seed: int) -> None:
        self._metric, self._seed = metric, seed
        self._weights = _weights(len(test.ids), resamples, seed)

    def draws(self, predictions: CellPredictions) -> Floats:
        """Returns (R,): the score averaged over seeds, on each resample of examples and seeds."""
        rows = [checked(self._metric, row) for row in predictions.scored]
        scores = np.stack(resampled_alike(self._metric, rows, self._weights))
        count = len(predictions.seeds)
        means = scores.mean(axis=0)
        if count == 1:
            return np.asarray(means)
        generator = np.random.default_rng([self._seed, *predictions.seeds])
        drawn = generator.integers(0, count, size=scores.shape)
        deviations = np.take_along_axis(scores, drawn, axis=0).mean(axis=0) - means
        return np.asarray(means + deviations * np.sqrt(count / (count - 1)))


@lru_cache(maxsize=1)
def _weights(n: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    # Tasks of a suite often have as many examples as the one before.
    return draw_weights(n, resamples, seed)


def _least_p(metric: Metric, a: CellPredictions, b: CellPredictions) -> float:
    """Returns the least p-value the predictions can give: of k examples that differ there are 2^k ways to swap them.

    A bootstrap of few examples knows nothing of what it never saw, and would be certain sooner.
    """
    sides = [one.scores if metric.reads_scores and one.scores is not None else one.values for one in (a, b)]
    if len({side.shape[2:] for side in sides}) > 1:
        return 0.0
    pairs = zip(*sides, strict=True) if len(a.seeds) == len(b.seeds) else itertools.product(*sides)
    differ = np.zeros(len(a.ids), dtype=bool)
    for mine, theirs in pairs:
        differ |= np.asarray(mine != theirs).reshape(len(a.ids), -1).any(axis=1)
    return float(min(1.0, 2.0 ** (1 - min(1000, int(differ.sum())))))


def _p_value(observed: float, drawn: Floats) -> float:
    # The tolerance lets a difference of nothing, drawn as nothing, count as being as extreme.
    extreme = np.abs(drawn - observed) >= abs(observed) - 1e-12
    return float((1 + np.count_nonzero(extreme)) / (1 + len(drawn)))
