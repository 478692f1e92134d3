"""The leaderboard as CSV: every column, in full precision."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.renderer import Renderer
from tlbench.results.render.escaping import spreadsheet

if TYPE_CHECKING:
    from tlbench.results.render.page import Page


class Csv(Renderer):
    """The leaderboard as CSV with a header.

    Texts are quoted and escaped, so that a spreadsheet evaluates none of them as a formula. Missing numbers are empty
    fields. Floats are written with enough digits that reading them gives exactly the same values.
    """

    name: ClassVar[str] = "csv"
    description: ClassVar[str] = "Every column of every cell, in full precision."

    def render(self, page: Page) -> str:
        """Returns the page's frame as CSV."""
        table = page.frame().copy()
        for name in table.columns:
            if table[name].dtype.kind not in "fiub":
                table[name] = table[name].map(spreadsheet)
        # The header has names of metrics, which plugins choose.
        table.columns = [spreadsheet(name) for name in table.columns]
        # Quote all texts, since a spreadsheet may also split at semicolons.
        return table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
