"""Places the cells of one task in order, with ranks by tests on their predictions, or by intervals without them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from tlbench.contracts.metric import Metric
from tlbench.results.columns import OK, PENDING
from tlbench.results.floors import is_floor
from tlbench.results.records.summaries import CellSummary
from tlbench.results.significance.score_variance import ScoreVariance

if TYPE_CHECKING:
    from tlbench.results.significance.ranks import Rank
    from tlbench.results.stats import CellPredictions

PredictionsOf: TypeAlias = "Callable[[CellSummary], CellPredictions | None]"
"""Returns the stored predictions of a cell, or None if it has none."""
Complain: TypeAlias = Callable[[str], None]
"""Called with a one-line message about a problem with a ranking."""


class Place(NamedTuple):
    """A cell's rank among the cells of its task."""

    rank: int | None
    """1 + the number of cells that are significantly better; None without a score, or with one seed."""
    rank_last: int | None
    """The worst rank that is possible: the number of cells that are not significantly worse. It equals `rank` if all
    others differ significantly."""
    ranked_by: str
    """"paired test", "intervals", "one seed" for a cell with a score but no rank, or empty without a score."""
    low: float | None = None
    """Lower end of the 95% interval of the strategy's expected score, over examples and seeds; None if unknown."""
    high: float | None = None
    variance: ScoreVariance | None = None
    """The variance components of the score; None without usable predictions."""
    from_best: tuple[float, float, float] | None = None
    """The posterior of the difference from the best row, as `Posterior`: difference, standard error, degrees of
    freedom; None for the best row, and where the two were not tested."""
    detectable: float | None = None
    """The smallest difference that the tests of this row's group find with a power of 80%."""


Ranked: TypeAlias = Callable[[Metric, Sequence[CellSummary]], list[Place]]
"""Returns the places of cells of one task that all have a score in one metric."""

_RAISED = (Exception, SystemExit)
"""Exceptions of a plugin's metric that must not end the leaderboard. A metric may call sys.exit by mistake."""
ONE_SEED = "one seed"
"""`Place.ranked_by` of a cell whose only fit does not show what another seed would have given."""
_BASIS = {True: "paired test", False: "intervals"}
NOWHERE = Place(None, None, "")
"""The place of a cell without a score or with an unknown metric."""


def goodness(summary: CellSummary, metrics: Mapping[str, Metric]) -> tuple[int, float]:
    """Returns a sort key for the cells of a task: best score first, then failed cells, then pending ones."""
    group = {OK: 0, PENDING: 2}.get(summary.status, 1)
    return group, -sign(
        metrics.get(summary.metric)
    ) * summary.value if group == 0 and summary.value is not None else 0.0


def places(summaries: Sequence[CellSummary], ranked: Ranked, metrics: Mapping[str, Metric]) -> list[Place]:
    """Returns the place of each cell of a task; cells without a score, or whose metric is not installed, have none."""
    by_position = dict.fromkeys(range(len(summaries)), NOWHERE)
    done: dict[str, list[int]] = {}
    for i, summary in enumerate(summaries):
        if summary.status == OK:
            done.setdefault(summary.metric, []).append(i)
    for name in sorted(done.keys() & metrics.keys()):
        by_position.update(zip(done[name], ranked(metrics[name], [summaries[i] for i in done[name]]), strict=True))
    return list(by_position.values())


def by_intervals(metric: Metric, summaries: Sequence[CellSummary]) -> list[Place]:
    """Returns places in which two cells differ if their intervals do not overlap."""
    return by_predictions(metric, summaries, lambda summary: None)


def by_predictions(
    metric: Metric,
    summaries: Sequence[CellSummary],
    predictions_of: PredictionsOf,
    complain: Complain = lambda text: None,
) -> list[Place]:
    """Returns places from tests of all pairs on the cells' predictions, or from intervals where these are missing.

    If the metric cannot be computed from the predictions, intervals are used and `complain` is called once.

    Args:
        metric: The metric of all scores.
        summaries: Cells of one task.
        predictions_of: Returns a cell's stored predictions.
        complain: Receives a message about predictions that the metric cannot score.
    """
    from tlbench.results.significance.ranks import FEWEST_SEEDS, RankEntry, ranks

    # A cell with one seed has no rank. Its predictions are read only for groups that other records may lack.
    some_lack_groups = any(one.groups is None for one in summaries if one.seeds >= FEWEST_SEEDS)

    def entries(predictions_of: PredictionsOf) -> list[RankEntry]:
        return [
            RankEntry(
                *_interval(summary),
                summary.seeds,
                # A cell with one seed has no rank: its predictions are read only for groups or the interval of a gain.
                _checked(metric, summary, predictions_of(summary), failed)
                if has_floors or summary.seeds >= FEWEST_SEEDS or (some_lack_groups and summary.groups is not None)
                else None,
                summary.backbone,
                is_floor(summary.strategy),
            )
            for summary in summaries
        ]

    has_floors = any(map(is_floor, {summary.strategy for summary in summaries}))
    failed: list[BaseException] = []
    try:
        results = ranks(metric, entries(predictions_of))
    except _RAISED as error:
        failed.append(error)
        # A test compares pairs of cells, so one cell without predictions cannot be left out on its own.
        results = ranks(metric, entries(lambda summary: None))
    if failed:
        why = " ".join(f"{type(failed[0]).__name__}: {failed[0]}".split())
        complain(
            f"{summaries[0].task}: the metric {metric.name} cannot be computed from stored predictions, and intervals "
            f"rank what it cannot: {why}"
        )
    return [_place(rank) for rank in results]


def _place(rank: Rank) -> Place:
    low, high = rank.interval or (None, None)
    ranked_by = ONE_SEED if rank.place is None else _BASIS[rank.is_tested]
    return Place(rank.place, rank.last, ranked_by, low, high, rank.variance, rank.from_best, rank.detectable)


def _checked(
    metric: Metric, summary: CellSummary, predictions: CellPredictions | None, failed: list[BaseException]
) -> CellPredictions | None:
    """Returns the predictions, or None if their score differs from the recorded one, as a test would then be wrong.

    Exceptions of the metric are appended to `failed`.
    """
    if predictions is None:
        return None
    from tlbench.results.stats import reproduces

    if predictions.positive != summary.positive:
        predictions = replace(predictions, positive=summary.positive)
    value = cast(float, summary.value)  # a cell with status ok has a value
    try:
        agree = reproduces(metric, predictions, value)
    except _RAISED as error:
        failed.append(error)
        return None
    return predictions if agree else None


def _interval(summary: CellSummary) -> tuple[float, float, float]:
    """Returns a cell's value and the ends of its interval, over examples and seeds."""
    # A cell with status ok has all three.
    value, low, high = cast(tuple[float, float, float], (summary.value, summary.low, summary.high))
    # Recorded intervals are of one fitted model, over examples only: widened by the spread over seeds.
    spread = _seed_halfwidth(summary.seed_std, summary.seeds)
    return value, value - math.hypot(value - low, spread), value + math.hypot(high - value, spread)


def _seed_halfwidth(deviation: float | None, seeds: int) -> float:
    """Returns half the width of the 95% interval of a mean over seeds; 0 for a single seed."""
    return 0.0 if deviation is None or seeds < 2 else _halfwidth_factor(seeds) * deviation


@lru_cache(maxsize=64)
def _halfwidth_factor(seeds: int) -> float:
    """Returns the 97.5% quantile of Student's t distribution, divided by the square root of the number of seeds."""
    from scipy.special import stdtrit

    return float(stdtrit(seeds - 1, 0.975)) / math.sqrt(seeds)


def sign(metric: Metric | None) -> int:
    """Returns 1 if larger scores are better, or the metric is unknown, and -1 if smaller ones are."""
    return 1 if metric is None or metric.greater_is_better else -1
