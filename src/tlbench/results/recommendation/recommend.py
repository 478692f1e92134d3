"""Chooses the combination to take for each task: the cheapest of the rows that no test tells apart from the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tlbench.results.columns import OK, Row
from tlbench.results.leaderboard import Table
from tlbench.results.notes.equal_rows import cheapest, equal_rows
from tlbench.results.render.task_summary import group_heading
from tlbench.results.render.value_texts import by_task


@dataclass(frozen=True)
class Recommendation:
    """The row to take for one task, and what is known of the alternatives."""

    task: str
    chosen: Row | None
    """The row to take; None if no row with a score is within the limits."""
    best: Row | None = None
    """The row with the highest score within the limits; it may be `chosen`."""
    ties: int = 0
    """Number of rows that are not told apart from the best, which is one of them; 0 without tests."""
    rows: int = 0
    """Number of rows with a score within the limits."""
    beyond: Row | None = None
    """The row with the highest score, if it is beyond the limits and better than `best`."""
    left_out: int = 0
    """Number of rows with a score that are beyond the limits, or whose costs are unknown."""
    untested: int = 0
    """Number of rows within the limits that have a score and no rank, as those of one seed: no test compares them."""

    @property
    def is_tested(self) -> bool:
        """Whether ranks say which rows tie; a row of one seed has none."""
        return self.chosen is not None and self.chosen["rank"] is not None


def recommendations(allowed: Table, everything: Table) -> list[Recommendation]:
    """Returns a recommendation for each task.

    Args:
        allowed: The rows within the limits, ranked among themselves.
        everything: All rows, for what the limits leave out.
    """
    within = by_task(row for row in allowed.rows() if row["status"] == OK)
    return [
        _recommendation(task, within.get(task, []), rows)
        for task, rows in by_task(row for row in everything.rows() if row["status"] == OK).items()
    ]


def _recommendation(task: str, rows: Sequence[Row], everything: Sequence[Row]) -> Recommendation:
    left_out = len(everything) - len(rows)
    # A table's rows are in order of their scores.
    if not rows:
        return Recommendation(task, None, left_out=left_out, beyond=everything[0])
    best = rows[0]
    beyond = everything[0] if everything[0]["cell"] != best["cell"] else None
    first = equal_rows(rows)
    chosen = cheapest(first) if first else best
    untested = sum(row["rank"] is None for row in rows)
    return Recommendation(task, chosen, best, len(first), len(rows), beyond, left_out, untested)


class OverTasks(NamedTuple):
    """The combination to take for all tasks that share backbones."""

    tasks: tuple[str, ...]
    heading: str
    """The tasks in words, such as "Over the 3 tasks of minilm-l6"."""
    row: Row
    """Its row of the means over tasks."""
    ties: int
    """Number of rows at rank 1."""


def over_tasks(allowed: Table) -> list[OverTasks]:
    """Returns the combination to take for each group of tasks with two tasks or more and with ranks."""
    found = []
    groups = allowed.averages()
    for group in groups:
        first = [row for row in group.rows if row["rank"] == 1]
        if len(group.tasks) > 1 and first:
            row = min(first, key=lambda row: (row["total_seconds"], row["backbone"], row["strategy"]))
            found.append(OverTasks(group.tasks, group_heading(group, len(groups) == 1), row, len(first)))
    return found
