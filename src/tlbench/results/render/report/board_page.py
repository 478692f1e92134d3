"""The content of a leaderboard's HTML page: tables, charts and matrices of each task and of all tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tlbench.results.columns import Row, as_rows
from tlbench.results.render import value_texts as cells
from tlbench.results.render.charts.cost_kinds import COSTS, NEEDED, CostKind, is_baseline, scatter
from tlbench.results.render.charts.difference_chart import difference_chart
from tlbench.results.render.charts.tested_means import tested_means
from tlbench.results.render.curves.curve_drawing import efficiency_chart
from tlbench.results.render.report.matrices import TaskMatrix, WinMatrix, task_matrix, win_matrix
from tlbench.results.render.report.report_tables import DataTable, table_of
from tlbench.results.render.report.templating import drawing
from tlbench.results.render.report.tier_column import TIER, checked_text, with_tiers
from tlbench.results.render.view import Limits

if TYPE_CHECKING:
    from markupsafe import Markup

    from tlbench.results.render.curves.efficiency_section import EfficiencySection
    from tlbench.results.render.page import Page, Section
    from tlbench.results.render.page_columns import PageRow
    from tlbench.results.render.task_summary import TaskSummary

_FEWEST = 2
_MOST_DIFFERENCES = 40


@dataclass(frozen=True)
class Plot:
    """A chart with the name of what can be chosen in its place."""

    name: str
    svg: Markup


@dataclass(frozen=True)
class Curves:
    """The label-efficiency curves of a task."""

    section: EfficiencySection
    svg: Markup
    key: tuple[tuple[str, str, bool], ...]
    """The colour and name of each curve, and whether it is dashed."""
    table: DataTable


@dataclass(frozen=True)
class TaskPart:
    """The part of the page on one task."""

    id: str
    section: Section
    table: DataTable
    plots: tuple[Plot, ...]
    """Score against each cost; empty with fewer than two scores."""


@dataclass(frozen=True)
class GroupPart:
    """The part of the page on a group of tasks that share backbones."""

    id: str
    heading: str
    table: DataTable
    differences: Markup | None
    """The critical-difference diagram; None if fewer than two rows have a rank over these tasks."""
    wins: WinMatrix
    """On how many tasks each row scores higher than each other."""
    scores: TaskMatrix
    """The score of each row on each task."""


class BoardPage:
    """The values of the template `board.html`, computed on first access.

    Args:
        page: The leaderboard.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self._pages = page.first_cells(Limits())
        """Ids of the cells that have a page of their own."""

    @cached_property
    def rows(self) -> Mapping[str, Row]:
        """The rows in full precision, by cell."""
        return {row["cell"]: row for row in as_rows(self.page.values(NEEDED))}

    @cached_property
    def tasks(self) -> tuple[TaskPart, ...]:
        """The parts of the tasks with a recorded row."""
        page = self.page
        columns = [column for column in page.columns if column.name in page.filled]
        columns += [TIER] if page.view.tiers else []
        parts = []
        for number, section in enumerate(page.sections):
            if not section.lines:
                continue
            rows = [self.rows[line.cell] for line in section.lines if line.cell in self.rows]
            lines = section.lines
            if page.view.tiers:
                lines = with_tiers(lines, page.view.tiers)
            better = all(row["greater_is_better"] for row in rows)
            table = table_of(
                f"ranking-{number}", f"{section.task}: {section.metric}", columns, lines, better,
                self.href, lambda line: line.cell in self._pages, page.view.has_chosen_columns,
            )  # fmt: skip
            parts.append(TaskPart(f"task-{number}", section, table, self._plots(rows)))
        return tuple(parts)

    @cached_property
    def checked(self) -> str:
        """How many of the records were checked, and how far; empty if nobody says."""
        return checked_text(self.page.view.tiers)

    def href(self, line: PageRow) -> str:
        """Returns the address of a row's page: its own, or the common one that reads the data file."""
        return f"cells/{line.cell}.html" if line.cell in self._pages else f"row.html#{line.cell}"

    def with_page(self) -> list[tuple[TaskPart, PageRow]]:
        """Returns the rows that have a page of their own, each with its task."""
        return [(part, line) for part in self.tasks for line in part.section.lines if line.cell in self._pages]

    @cached_property
    def groups(self) -> tuple[GroupPart, ...]:
        """The parts over each group of tasks that share backbones; empty for one task."""
        return tuple(self._group(number, summary) for number, summary in enumerate(self.page.summaries))

    @cached_property
    def curves(self) -> tuple[Curves, ...]:
        """The label-efficiency curves."""
        return tuple(_curves(number, section) for number, section in enumerate(self.page.label_efficiency))

    @cached_property
    def costs(self) -> Sequence[CostKind]:
        """The kinds of cost that a reader can choose."""
        return COSTS

    def data(self) -> bytes:
        """Returns the content of the data file, which has the rows that are not in the HTML.

        Of each table it has the id and the rows as a text, which is only parsed when it is needed.
        """
        tables = [table for table in (*(part.table for part in self.groups), *(part.table for part in self.tasks))]
        content = [[table.id, json.dumps(table.data(), allow_nan=False, separators=(",", ":"))] for table in tables]
        return f"window.tlbenchTables = {json.dumps(content, separators=(',', ':'))};\n".encode()

    def _group(self, number: int, summary: TaskSummary) -> GroupPart:
        first = {id(line) for line in summary.lines[: Limits().rows]}
        table = table_of(
            f"summary-{number}", summary.heading, self.page.summary_columns, summary.lines,
            is_shown=lambda line: id(line) in first,
        )  # fmt: skip
        rows = [row for row in self.rows.values() if row["task"] in summary.averages.tasks]
        order = [(row["backbone"], row["strategy"], row["variant"]) for row in summary.averages.rows]
        found = tested_means(summary.averages)
        has_diagram = found is not None and _FEWEST <= len(found.means) <= _MOST_DIFFERENCES
        return GroupPart(
            f"over-tasks-{number}",
            summary.heading,
            table,
            drawing(difference_chart(found)) if found and has_diagram else None,
            win_matrix(rows, order),
            task_matrix(rows, order, self._address),
        )

    def _address(self, row: Row) -> str:
        return f"cells/{row['cell']}.html" if row["cell"] in self._pages else f"row.html#{row['cell']}"

    def _plots(self, rows: Sequence[Row]) -> tuple[Plot, ...]:
        drawn = [(kind, scatter(kind, rows, self._address, is_baseline)) for kind in COSTS]
        return tuple(Plot(kind.name, drawing(chart.svg())) for kind, chart in drawn if chart.differs)


def _curves(number: int, section: EfficiencySection) -> Curves:
    chart = efficiency_chart(section)
    key = tuple((colour, one.name, one.is_dashed) for colour, one in zip(chart.colours, chart.series, strict=True))
    table = table_of(
        f"efficiency-{number}", f"Label efficiency of {section.task}", section.columns, section.lines, with_all=True
    )
    return Curves(section, drawing(chart.svg()), key, table)


def leaders(page: Page) -> list[dict[str, Any]]:
    """Returns the first row of each task, for an index: the task, its metric, the row's title and score."""
    found = []
    for section in page.sections:
        line = next((line for line in section.lines if line.status == "ok"), None)
        if line is None:
            continue
        backbone, strategy = (line.values[name].text for name in ("backbone", "strategy"))
        first = sum(one.is_best for one in section.lines)
        found.append(
            {
                "task": section.task,
                "metric": section.metric,
                "title": cells.title(
                    {"backbone": "" if backbone == cells.NOTHING else backbone, "strategy": strategy, "variant": ""}
                ),
                "score": line.values["score"].text,
                "interval": line.values["interval"].text,
                "ties": first - 1,
            }
        )
    return found
