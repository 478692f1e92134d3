"""Finds the rows of each task that share rank 1, and the tasks whose ranks leave open if pretrained weights help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tlbench.results.columns import OK
from tlbench.results.floors import is_floor

NEEDED = ("task", "status", "rank", "backbone", "strategy")
"""The columns of a leaderboard that `first_rows` reads."""


@dataclass
class FirstRows:
    """The rows of a task than which no row is significantly better."""

    positions: list[int] = field(default_factory=list)
    """Their positions in the table, the highest score first."""
    without_weights: list[int] = field(default_factory=list)
    """Those of them that use no pretrained weights."""
    has_pretrained: bool = False
    """Whether any row of the task with a rank uses pretrained weights."""

    @property
    def undecided(self) -> int | None:
        """Position of the best row without pretrained weights, if no row is significantly better; else None."""
        return self.without_weights[0] if self.has_pretrained and self.without_weights else None


def first_rows(columns: Mapping[str, Sequence[Any]]) -> dict[str, FirstRows]:
    """Returns the first rows of each task in which a row has a rank; `columns` are those of a sorted leaderboard."""
    tasks: dict[str, FirstRows] = {}
    rows = zip(*(columns[name] for name in NEEDED), strict=True)
    for position, (task, status, rank, backbone, strategy) in enumerate(rows):
        if status != OK or not rank:
            continue
        if (found := tasks.get(task)) is None:
            found = tasks[task] = FirstRows()
        is_pretrained = bool(backbone) and not is_floor(strategy)
        found.has_pretrained |= is_pretrained
        if rank == 1:
            found.positions.append(position)
            if not is_pretrained:
                found.without_weights.append(position)
    return tasks
