"""The view of a leaderboard that a reader chose: the columns of rankings, and remarks on what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tlbench.contracts.published.reference import Reference
from tlbench.results.columns import ENSEMBLE, PENDING
from tlbench.results.render.page_columns import RANKING, Column
from tlbench.results.submissions.tiers import Tier


@dataclass(frozen=True)
class View:
    """What a page shows of a table's rows."""

    columns: tuple[Column, ...] = RANKING
    """Columns of the rankings, in order."""
    frame_columns: tuple[str, ...] = ()
    """Columns of the frame, in order, for formats that write the frame; empty for all."""
    remarks: tuple[str, ...] = ()
    """Sentences on rows that are hidden, which are added to the legend."""
    hint: str = ""
    """A line for terminals on how to see more records, such as "2 more records here: --all"; or empty."""
    references: tuple[Reference, ...] = ()
    """Published scores to show beside the rows of the cells that repeat their settings."""
    id_digits: int | None = None
    """Number of leading digits of cells' ids that terminals show; None for as many as tell the table's cells apart."""
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    """How far each row's record was checked, by cell; empty if nobody says."""

    @property
    def has_chosen_columns(self) -> bool:
        """Whether the columns were chosen, so that all of them are shown however narrow the terminal is."""
        return self.columns is not RANKING


@dataclass(frozen=True)
class Limits:
    """Maximum numbers of rows in a short leaderboard."""

    rows: int = 200
    """Rows of all rankings together, divided equally among tasks."""
    rows_of_a_task: int = 5
    """Rows that are shown for each task even if `rows` is exceeded."""
    summary: int = 40
    failures: int = 10


def shown_positions(columns: Mapping[str, Sequence[Any]], limits: Limits | None) -> list[int]:
    """Returns the positions of the rows to show; with limits, the best rows and some trivial baselines of each task."""
    positions: dict[str, list[int]] = {}
    for i, (task, status) in enumerate(zip(columns["task"], columns["status"], strict=True)):
        if status != PENDING:
            positions.setdefault(task, []).append(i)
    if limits is None:
        return [i for ranked in positions.values() for i in ranked]
    # Each task gets an equal share, so that a task with many cells does not crowd out others.
    number = max(limits.rows_of_a_task, limits.rows // max(1, len(positions)))
    chosen: set[int] = set()
    for ranked in positions.values():
        chosen.update(ranked[:number])
        # Baselines without a backbone show which score is trivial, however low they rank.
        chosen.update([i for i in ranked[number:] if not columns["backbone"][i]][: limits.rows_of_a_task])
        # There are ensembles only if an option asked for them.
        chosen.update(i for i in ranked if columns["ranked_by"][i] == ENSEMBLE)
    return sorted(chosen)
