"""The tables of means over tasks, one for each group of tasks that share backbones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlbench.results.columns import Row
from tlbench.results.over_tasks import Averages
from tlbench.results.render.escaping import printable
from tlbench.results.render.page_columns import SUMMARY, PageRow, Value

_MOST_NAMES = 3
"""Maximum number of backbones that a heading names."""


@dataclass(frozen=True)
class TaskSummary:
    """A row for each pair of backbone and strategy over a group of tasks."""

    heading: str
    """The tasks, such as "Over all tasks" or, if the table has several groups, "Over the 3 tasks of minilm-l6"."""
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
            group_heading(group, is_only=len(groups) == 1),
            tuple(map(printable, group.tasks)),
            tuple(PageRow(_values(row), is_best=row["rank"] == 1) for row in group.rows[:limit]),
            len(group.rows[limit:]) if limit is not None else 0,
            group,
        )
        for group in several
    )


def group_heading(group: Averages, is_only: bool) -> str:
    """Returns the heading of the means over a group of tasks; `is_only` tells whether it has all tasks of a table."""
    if is_only:
        return "Over all tasks"
    names = [*dict.fromkeys(printable(row["backbone"]) for row in group.rows if row["backbone"])]
    if not names:
        return f"Over the {len(group.tasks)} tasks without a backbone"
    if len(names) > _MOST_NAMES:
        names = [*names[: _MOST_NAMES - 1], f"{len(names) - _MOST_NAMES + 1} other backbones"]
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"Over the {len(group.tasks)} tasks of {listed}"


def _values(row: Row) -> dict[str, Value]:
    read = {column.name: column.read(row) for column in SUMMARY}
    return {name: Value(value, printable(text)) for name, (value, text) in read.items()}
