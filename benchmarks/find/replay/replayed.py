"""Replays of policies at several budgets and draws of the validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.find.replay.replay_task import Array, ReplayTask, StoredFits
from benchmarks.find.replay.rivals import Rival
from tlbench.contracts.policies.policy import Candidate
from tlbench.finding.policies.proposals import default_of
from tlbench.finding.simulated import simulate

SHARES = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.4)
"""Budgets, as shares of what the whole grid costs."""
SHARE_WITH_FINALS = 0.15
SAFETY, MOST_RESERVED = 1.6, 0.45
"""The reserve of `tlbench find`: a factor of the expected finals, and its largest share of the budget."""


@dataclass(frozen=True)
class Replayed:
    """The answers of one policy on one task."""

    rival: str
    rows: NDArray[np.int64]
    """The row of each answer, (budgets, draws)."""
    seconds: Array
    """Seconds charged, with encodings and feature scores, (budgets, draws)."""
    rows_with_finals: NDArray[np.int64]
    """The answers at a budget that includes the finals, (draws,)."""
    seconds_with_finals: Array
    """Seconds charged for search and finals, (draws,)."""


def replayed(rival: Rival, task: ReplayTask, others: Sequence[ReplayTask], draws: int) -> Replayed:
    """Returns the answers of a policy at every budget.

    Args:
        rival: The policy.
        task: The stored fits.
        others: All tasks, for policies with a history.
        draws: How many times the validation rows are drawn; the draw is also the search's seed.
    """
    policy = rival.make(task, others)
    feature = task.features.get(rival.feature)
    read = frozenset() if feature is None else feature.encodings
    before = 0.0 if feature is None else feature.seconds + sum(task.encoding_seconds[one] for one in read)

    def answer(seconds: float, draw: int) -> tuple[int, float]:
        # The time for the scores of the features is over before the search begins.
        if seconds <= before:
            return task.fallback, seconds
        search = simulate(policy, StoredFits(task, draw, read), seconds - before, seed=draw)
        best = search.situation.best
        return (task.fallback if best is None else task.row_of(best.proposal)), before + search.seconds

    found = [[answer(share * task.grid_seconds, draw) for draw in range(draws)] for share in SHARES]
    rows = np.array([[row for row, _ in one] for one in found])
    seconds = np.array([[charged for _, charged in one] for one in found])
    picks = [task.grid_pick(draw) for draw in range(draws)]
    total = SHARE_WITH_FINALS * (task.grid_seconds + float(task.final_seconds[picks].mean()))
    last = [answer(total - _reserve(task, total), draw) for draw in range(draws)]
    finals = np.array([charged + task.final_seconds[row] for row, charged in last])
    return Replayed(rival.name, rows, seconds, np.array([row for row, _ in last]), finals)


def _reserve(task: ReplayTask, total: float) -> float:
    """Returns the seconds that are kept for the finals of the dearest candidate that could be fitted and have them."""
    fits = StoredFits(task, 0)

    def finals(candidate: Candidate) -> float:
        return float(task.final_seconds[task.row_of(default_of(candidate))])

    likely = [
        finals(one)
        for one in task.candidates
        if one.role != "baseline" and fits.cost(default_of(one)) + SAFETY * finals(one) <= total
    ]
    return min(SAFETY * max(likely, default=0.0), MOST_RESERVED * total)
