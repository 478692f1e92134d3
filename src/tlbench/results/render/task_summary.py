"""The tables of means over tasks, one for each group of tasks that share backbones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlbench.results.columns import Row
from tlbench.results.over_tasks import Averages
from tlbench.results.render.escaping import printable
from tlbench.results.render.page_columns import SUMMARY, PageRow, Value

_MOST_NAMES = 6
"""Maximum number of tasks that a heading lists."""


@dataclass(frozen=True)
class TaskSummary:
    """A row for each pair of backbone and strategy over a group of tasks."""

    heading: str
    """The tasks, such as "Over all tasks" or "Over 3 tasks: sst2, stsb, trec"."""
    tasks: tuple[str, ...]
    lines: tuple[PageRow, ...]
    """The rows that are shown, best first."""
    hidden: int
    """Number of further rows."""
    averages: Averages
    """The averages of these tasks, with the tests of all pairs of rows."""


def task_summaries(groups: Sequence[Averages], limit: int | None) -> tuple[TaskSummary, ...]:
    """Returns a table for each group with two tasks or more, since a mean over one task is its score.

    Args:
        groups: The averages over each group of tasks.
        limit: Maximum number of rows of a table; None for all.
    """
    several = [group for group in groups if len(group.tasks) > 1]
    return tuple(
        TaskSummary(
            "Over all tasks" if len(groups) == 1 else _heading(group.tasks),
            tuple(map(printable, group.tasks)),
            tuple(PageRow(_values(row), is_best=row["rank"] == 1) for row in group.rows[:limit]),
            len(group.rows[limit:]) if limit is not None else 0,
            group,
        )
        for group in several
    )


def _heading(tasks: Sequence[str]) -> str:
    names = [*map(printable, tasks[:_MOST_NAMES])]
    names += [f"{len(tasks) - _MOST_NAMES} more"] if len(tasks) > _MOST_NAMES else []
    return f"Over {len(tasks)} tasks: {', '.join(names)}"


def _values(row: Row) -> dict[str, Value]:
    read = {column.name: column.read(row) for column in SUMMARY}
    return {name: Value(value, printable(text)) for name, (value, text) in read.items()}
