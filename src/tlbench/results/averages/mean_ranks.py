"""Ranks and intervals of means over tasks, from the variances of the scores on each task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tlbench.results.averages.scales import TaskCell, TaskScale
from tlbench.results.columns import OK
from tlbench.results.ranking import ONE_SEED

if TYPE_CHECKING:
    from tlbench.metrics.scored import Floats
    from tlbench.results.significance.all_pairs import PairTests
    from tlbench.results.significance.components import Components
    from tlbench.results.significance.mean_scores import TaskScores

Key: TypeAlias = tuple[str, str, str]
"""The backbone, strategy and variant of a row."""
TESTED = "paired test"
_FEWEST_SEEDS = 2


class MeanRank(NamedTuple):
    """The rank of a row's mean over tasks."""

    rank: int | None = None
    """1 + the number of rows whose mean is significantly better."""
    rank_last: int | None = None
    """The worst rank that the tests leave possible: the number of rows minus those that are significantly worse."""
    ranked_by: str = ""
    """"paired test" for a row with a rank, "one seed" if it has one seed on a task; empty for other rows."""
    low: float | None = None
    """Lower end of the 95% interval of the expected mean over these tasks."""
    high: float | None = None


@dataclass(frozen=True)
class MeanRanks:
    """The ranks of all rows, and the tests from which they follow."""

    of: Mapping[Key, MeanRank] = field(default_factory=dict)
    tested: tuple[Key, ...] = ()
    """The rows that were tested, in the order of `tests`."""
    tests: PairTests | None = None
    """The tests of all pairs; None with fewer than two rows."""


def mean_ranks(rows: Mapping[Key, Sequence[TaskCell]], scales: Mapping[str, TaskScale]) -> MeanRanks:
    """Returns the ranks of the rows' means over the tasks with a scale.

    A row has a rank if it has exactly one cell on each of these tasks, and each cell either failed, which counts as the
    floor, or has a score in the task's metric and predictions of two seeds or more, for the same test examples as most
    rows. At least one cell must have a score.
    """
    complete, one_seed = {}, []
    for key, cells in rows.items():
        of_task = {cell.task: cell for cell in cells if cell.task in scales}
        if len(of_task) < len(scales) or len(of_task) < sum(cell.task in scales for cell in cells):
            continue
        scored = [cell for cell in of_task.values() if cell.status == OK]
        if any((cell.seeds or 0) < _FEWEST_SEEDS for cell in scored):
            one_seed.append(key)
        elif scored and all(cell.variance and cell.metric == scales[cell.task].metric for cell in scored):
            complete[key] = of_task
    ranks = dict.fromkeys(one_seed, MeanRank(ranked_by=ONE_SEED))
    comparable = _comparable(complete)
    # Returns before NumPy is imported, since large tables may have no predictions.
    if not comparable or not scales:
        return MeanRanks(ranks)
    tasks = [_scores([comparable[key][task] for key in comparable], scale) for task, scale in scales.items()]
    known = [task for task in tasks if task is not None]
    if len(known) < len(tasks):
        return MeanRanks(ranks)
    from tlbench.results.significance.mean_scores import mean_scores

    means = mean_scores(known)
    places, tests = _places(means)
    ranks |= dict(zip(comparable, places, strict=True))
    return MeanRanks(ranks, tuple(comparable), tests)


def _comparable(complete: Mapping[Key, Mapping[str, TaskCell]]) -> dict[Key, Mapping[str, TaskCell]]:
    """Returns the rows whose predictions are, on every task, for the same test examples as those of most rows."""
    families: dict[str, Counter[int]] = {}
    for cells in complete.values():
        for task, cell in cells.items():
            if cell.variance:
                families.setdefault(task, Counter())[cell.variance.family] += 1
    usual = {task: counts.most_common(1)[0][0] for task, counts in families.items()}
    return {
        key: cells
        for key, cells in complete.items()
        if all(not cell.variance or cell.variance.family == usual[task] for task, cell in cells.items())
    }


def _scores(cells: Sequence[TaskCell], scale: TaskScale) -> TaskScores | None:
    """Returns the scores of one task on the common scale; None if too many rows have no covariances."""
    import numpy as np

    from tlbench.results.significance.differences import covariance
    from tlbench.results.significance.mean_scores import TaskScores

    size = len(cells)
    scored = [i for i, cell in enumerate(cells) if cell.variance]
    variances = [one for cell in cells if (one := cell.variance)]
    floor = scale.variance
    with_floor = floor is not None and bool(variances) and floor.family == variances[0].family
    found = covariance([*variances, floor] if with_floor and floor else variances) if variances else np.zeros((0, 0))
    if found is None:
        return None
    width = scale.best - scale.floor
    scores, between, residual = np.zeros(size), np.zeros(size), np.zeros(size)
    seeds, own = np.full(size, float(_FEWEST_SEEDS)), np.zeros((size, size))
    for i, one in zip(scored, variances, strict=True):
        scores[i] = scale.share(one.score)
        seeds[i], between[i], residual[i] = one.seeds, one.seed_variance / width**2, one.residual_variance / width**2
    own[np.ix_(scored, scored)] = _relative(found, scores[scored], with_floor) / width**2
    return TaskScores(scores, own, seeds, between, residual, min((one.example_df for one in variances), default=1.0))


def _relative(covariances: Floats, scores: Floats, with_floor: bool) -> Floats:
    """Returns (K, K): the covariances of K scores, to which the sampling error of the floor is added if it is known.

    A score on the common scale is (score - floor) / (best - floor), and the floor is estimated from the same examples.
    To first order, the floor's error counts with the weight 1 - the score on the common scale. `with_floor` says that
    the last row and column of `covariances` are the floor's.
    """
    import numpy as np

    if not with_floor:
        return covariances
    weights = np.hstack([np.eye(len(scores)), -(1 - scores)[:, None]])
    return np.asarray(weights @ covariances @ weights.T)


def _places(means: Sequence[Components]) -> tuple[list[MeanRank], PairTests | None]:
    from tlbench.results.significance.all_pairs import compare_pairs
    from tlbench.results.significance.intervals import FEWEST_SEEDS, mean_interval

    ends = [mean_interval(one) if one.seeds >= FEWEST_SEEDS else (None, None) for one in means]
    if len(means) == 1:
        return [MeanRank(1, 1, TESTED, *ends[0])], None
    tests = compare_pairs(means)
    is_better = tests.is_significant() & (tests.differences > 0)
    better, worse = is_better.sum(axis=0), is_better.sum(axis=1)
    return [
        MeanRank(1 + int(better[i]), len(means) - int(worse[i]), TESTED, *ends[i]) for i in range(len(means))
    ], tests
