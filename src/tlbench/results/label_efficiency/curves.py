"""Learning curves: the score of each backbone and strategy at each number of training examples. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from tlbench.results.columns import OK, STRATEGY, Row, as_rows
from tlbench.results.floors import is_floor
from tlbench.results.label_efficiency.task_amounts import without_amount, without_limit

NEEDED = (
    "task", "shots", "train_fraction", "train_examples", "backbone", "strategy", "variant", "status", "metric",
    "metric_label", "greater_is_better", "in_points", "value", "low", "high", "interval_of", "cell",
)  # fmt: skip
"""The columns of a leaderboard that `task_curves` reads."""


class SizedScore(NamedTuple):
    """A score at one number of training examples."""

    examples: int
    value: float
    low: float | None
    """Lower end of the 95% interval over test examples and seeds; None if there are too few seeds for it."""
    high: float | None


@dataclass(frozen=True)
class LearningCurve:
    """The scores of one backbone and strategy on a task at two or more numbers of training examples."""

    backbone: str
    """Empty for a strategy without one."""
    strategy: str
    variant: str
    """How cells of this backbone and strategy differ otherwise than in their number of examples; mostly empty."""
    points: tuple[SizedScore, ...]
    """The fewest examples first."""

    @property
    def is_pretrained(self) -> bool:
        """Whether pretrained weights are used."""
        return bool(self.backbone) and not is_floor(self.strategy)


@dataclass(frozen=True)
class TaskCurves:
    """The learning curves of one task in one metric."""

    task: str
    """The task's name without the amount of training data."""
    metric_label: str
    greater_is_better: bool
    in_points: bool
    curves: tuple[LearningCurve, ...]
    """The best score at the largest number of examples first."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of training examples of all curves, in ascending order."""
        return tuple(sorted({point.examples for curve in self.curves for point in curve.points}))

    @property
    def sign(self) -> int:
        """1 if larger scores are better, else -1."""
        return 1 if self.greater_is_better else -1


def task_curves(columns: Mapping[str, Sequence[Any]]) -> list[TaskCurves]:
    """Returns the curves of each task that has some, in the order of the leaderboard.

    Args:
        columns: The `NEEDED` columns. Rows without a score or without a known number of examples are left out.
    """
    tasks: dict[tuple[str, str], list[Row]] = {}
    for row in as_rows(columns):
        if row["status"] == OK and row["value"] is not None and row["train_examples"]:
            task = without_amount(row["task"], row["shots"], row["train_fraction"])
            tasks.setdefault((task, row["metric"]), []).append(row)
    found = [_of_task(task, rows) for (task, _), rows in tasks.items()]
    return [one for one in found if one.curves]


def _of_task(task: str, rows: Sequence[Row]) -> TaskCurves:
    points: dict[tuple[str, str, str], dict[int, SizedScore]] = {}
    # Of two cells with equally many examples, such as 10 shots and a share, the choice must not depend on the score.
    for row in sorted(rows, key=lambda row: str(row["cell"])):
        key = (row["backbone"], row["strategy"], without_limit(row["variant"]))
        points.setdefault(key, {}).setdefault(row["train_examples"], _point(row))
    curves = [
        LearningCurve(*key, tuple(sorted(sizes.values(), key=attrgetter("examples"))))
        for key, sizes in points.items()
        if len(sizes) > 1
    ]
    sign = 1 if rows[0]["greater_is_better"] else -1

    def order(curve: LearningCurve) -> tuple[Any, ...]:
        last = curve.points[-1]
        return -last.examples, -sign * last.value, curve.backbone, curve.strategy, curve.variant

    ordered = tuple(sorted(curves, key=order))
    return TaskCurves(task, rows[0]["metric_label"], rows[0]["greater_is_better"], rows[0]["in_points"], ordered)


def _point(row: Row) -> SizedScore:
    # An interval of one fit says nothing about other draws of the training examples.
    known = row["interval_of"] == STRATEGY
    return SizedScore(
        row["train_examples"], row["value"], row["low"] if known else None, row["high"] if known else None
    )
