"""Scores against time and memory as plots for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.errors import UsageError
from tlbench.contracts.renderer import Renderer
from tlbench.results.columns import as_rows
from tlbench.results.render.charts.cost_kinds import COSTS, NEEDED, is_baseline, scatter
from tlbench.results.render.charts.text_scatter import text_scatter
from tlbench.results.render.escaping import printable

if TYPE_CHECKING:
    from tlbench.results.columns import Row
    from tlbench.results.render.page import Page, Section

_KINDS = ("one fit", "memory")
_KEY = (
    "Letters: the Pareto front, which no other row beats in score at equal or lower cost. o: other rows. x: baselines."
)


class CostScore(Renderer):
    """Plots of plain characters: for each task the score against the time of a fit, and against peak memory."""

    name: ClassVar[str] = "cost-score"
    description: ClassVar[str] = "Plots of score against time and memory, for a terminal."

    def render(self, page: Page) -> str:
        """Returns the plots, 78 characters wide.

        Raises:
            UsageError: No task has two rows with a score and unequal costs.
        """
        rows = {row["cell"]: row for row in as_rows(page.values(NEEDED))}
        parts = [
            part
            for section in page.sections
            for part in _plots(section, [rows[line.cell] for line in section.lines if line.cell in rows])
        ]
        if not parts:
            raise UsageError(
                f"--format {self.name}: no task has two rows with a score and unequal costs; `tlbench run` with "
                "another strategy or backbone makes some"
            )
        return "\n\n".join([*parts, _KEY]) + "\n"


def _plots(section: Section, rows: Sequence[Row]) -> list[str]:
    charts = [scatter(kind, rows, lambda row: "", is_baseline) for kind in COSTS if kind.name in _KINDS]
    return [
        "\n".join([printable(f"{section.task}: {chart.metric} against {chart.label}"), *text_scatter(chart)])
        for chart in charts
        if chart.differs
    ]
