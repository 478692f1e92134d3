"""The leaderboard as CSV: every column, in full precision."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.renderer import Renderer
from tlbench.results.render.escaping import spreadsheet

if TYPE_CHECKING:
    from tlbench.results.render.page import Page


class Csv(Renderer):
    """CSV with a header; text is quoted and never a formula, a missing number is empty.

    Floats are written so that reading them gives the same bits.
    """

    name: ClassVar[str] = "csv"
    description: ClassVar[str] = "Every column of every cell, in full precision."

    def render(self, page: Page) -> str:
        """Returns the page's frame."""
        whole = page.frame().copy()
        for name in whole.columns:
            if whole[name].dtype.kind not in "fiub":
                whole[name] = whole[name].map(spreadsheet)
        # Names of metrics are in the header.
        whole.columns = [spreadsheet(name) for name in whole.columns]
        # All text is quoted, since a spreadsheet may split at a semicolon that stands in a name.
        return whole.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
