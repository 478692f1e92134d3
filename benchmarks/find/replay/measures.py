"""Regret of answers, and whether they are the same answer as the whole grid's."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from benchmarks.find.replay.replay_task import Array, ReplayTask

BOOTSTRAPS = 10_000
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Regret:
    """How many points of the test score an answer lacks, on average over splits and draws."""

    to_pick: float
    """To what the whole grid picks by the same validation rows; negative where the answer is better by luck."""
    to_oracle: float
    """To the fit that is best on the half of the test split that does not score."""


def regret(task: ReplayTask, rows: NDArray[np.int64]) -> Regret:
    """Returns the regret of the answers of a task's draws."""
    scores = task.scoring[rows].mean()
    picks = task.scoring[_picks(task, len(rows))].mean()
    return Regret(100 * float(picks - scores), 100 * float(task.oracle_scores().mean() - scores))


def oracle_gap(task: ReplayTask, draws: int) -> float:
    """Returns the regret of the grid's own pick to the oracle."""
    return regret(task, _picks(task, draws)).to_oracle


def is_same_answer(task: ReplayTask, rows: NDArray[np.int64], points: float = 2.0) -> bool:
    """Returns whether the answers are within some points of the grid's, or mostly not told apart from it."""
    if regret(task, rows).to_pick < points:
        return True
    if task.test is None:
        return False
    pairs = zip(rows, _picks(task, len(rows)), strict=True)
    ties = [mcnemar(task.test[row], task.test[pick]) >= SIGNIFICANCE for row, pick in pairs]
    return sum(ties) > len(ties) / 2


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Returns the exact two-sided p-value of McNemar's test that two fits are right equally often."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    differing, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(comb(differing, number) for number in range(fewer + 1))
    # Integers divided: the sum has hundreds of digits.
    return min(1.0, 2 * tail / (1 << differing)) if differing else 1.0


def upper_bound(differences: Array) -> float:
    """Returns the upper end of the 95% bootstrap interval of a mean over tasks."""
    drawn = np.random.default_rng(0).integers(len(differences), size=(BOOTSTRAPS, len(differences)))
    return float(np.quantile(np.asarray(differences)[drawn].mean(1), 0.975))


def _picks(task: ReplayTask, draws: int) -> NDArray[np.int64]:
    return np.array([task.grid_pick(draw) for draw in range(draws)])
