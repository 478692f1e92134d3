"""Puts the scores of each task on a common scale, from 0 for the floor to 1 for the best value of the metric."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from tlbench.results.columns import OK
from tlbench.results.floors import is_floor
from tlbench.results.significance.score_variance import ScoreVariance


class TaskCell(NamedTuple):
    """The values in one row of a leaderboard from which averages over tasks are computed."""

    task: str
    backbone: str
    strategy: str
    variant: str
    status: str
    rank: int | None
    metric: str
    metric_label: str
    greater_is_better: bool
    in_points: bool
    metric_worst: float | None
    metric_best: float | None
    value: float | None
    seeds: int | None
    encode_seconds: float
    fit_seconds: float
    total_seconds: float
    at_floor: int | None = None
    """Number of seeds whose fits stay at the floor."""
    variance: ScoreVariance | None = None
    """The parts of the value's variance; None if made from a frame, not a `Table`."""


class TaskScale(NamedTuple):
    """The scale of one task's scores."""

    metric: str
    floor: float
    best: float
    floors: tuple[str, ...] = ()
    """The strategy whose score is the floor; empty if there is none and the metric's worst value is the floor."""
    variance: ScoreVariance | None = None
    """The variance components of the floor's score; None if they are not known."""

    def share(self, value: float) -> float:
        """Returns a score on the common scale; below 0 if it is worse than the floor."""
        return (value - self.floor) / (self.best - self.floor)


def scales(cells: Iterable[TaskCell]) -> dict[str, TaskScale]:
    """Returns the scale of each task that has one, by the task's name.

    A scale begins at the best score of a floor without a backbone, such as `majority`, since floors with a backbone
    differ between rows. Without such a strategy it begins at the metric's worst value, if the metric is a fraction of 1
    and better when higher: the worst value of a loss is far from all scores. A task has no scale if this start is not
    known, if the metric has no best value, or if the start reaches the best value.
    """
    by_task: dict[str, list[TaskCell]] = defaultdict(list)
    for cell in cells:
        if cell.status == OK and cell.value is not None:
            by_task[cell.task].append(cell)
    known = {task: _scale(scored) for task, scored in by_task.items()}
    return {task: scale for task, scale in known.items() if scale is not None}


def _scale(cells: list[TaskCell]) -> TaskScale | None:
    # The task's metric may have changed after some of its cells were recorded.
    metric = Counter(cell.metric for cell in cells).most_common(1)[0][0]
    one = next(cell for cell in cells if cell.metric == metric)
    sign = 1 if one.greater_is_better else -1
    floors = [cell for cell in cells if not cell.backbone and cell.metric == metric and is_floor(cell.strategy)]
    has_worst = one.metric_worst is not None and one.in_points and one.greater_is_better
    if one.metric_best is None or not (floors or has_worst):
        return None
    if floors:
        floor = max(floors, key=lambda cell: sign * (cell.value or 0.0))
        scale = TaskScale(metric, floor.value or 0.0, one.metric_best, (floor.strategy,), floor.variance)
    else:
        scale = TaskScale(metric, one.metric_worst or 0.0, one.metric_best)
    return scale if sign * (scale.best - scale.floor) > 0 else None
