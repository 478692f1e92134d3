"""The view of a leaderboard that a reader chose: the columns of rankings, and remarks on what is left out."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.published.reference import Reference
from tlbench.results.render.page_columns import RANKING, Column


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

    @property
    def has_chosen_columns(self) -> bool:
        """Whether the columns were chosen, so that all of them are shown however narrow the terminal is."""
        return self.columns is not RANKING
