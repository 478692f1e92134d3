"""The scores of each row over nights, and their drawing. Equal nights give equal bytes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tlbench.contracts.errors import StoreError
from tlbench.metrics import METRICS
from tlbench.results.index import Index
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import CellSummary
from tlbench.results.render import value_texts
from tlbench.results.render.charts.line_chart import ChartPoint, LineChart, Series, image
from tools.nightly.nights import Night

Names = tuple[str, str, str, str]
"""Task, backbone, strategy, and a cell's id where these do not tell a night's cells apart."""


@dataclass(frozen=True)
class HistoryRow:
    """One row of the leaderboard over nights."""

    names: Names
    metric: str
    cells: Mapping[int, CellSummary]
    """The cell by the number of the night; nights without the row are left out."""

    @property
    def has_score(self) -> bool:
        """Whether the row has a score in every night that has the row."""
        return all(cell.value is not None for cell in self.cells.values())

    @property
    def title(self) -> str:
        """Backbone and strategy, as in the keys of charts."""
        _, backbone, strategy, cell = self.names
        return " | ".join(filter(None, (backbone or "-", strategy, cell)))


@dataclass(frozen=True)
class History:
    """All rows over nights."""

    nights: tuple[Night, ...]
    rows: tuple[HistoryRow, ...]

    def of_task(self) -> dict[str, list[HistoryRow]]:
        """Returns the rows by task."""
        tasks: dict[str, list[HistoryRow]] = {}
        for row in self.rows:
            tasks.setdefault(row.names[0], []).append(row)
        return tasks


def read_history(nights: Iterable[Night]) -> History:
    """Returns the history of the nights that have records."""
    cells = {night: _cells(night) for night in nights}
    known = [night for night in cells if cells[night]]
    counts = [Counter(map(_names, cells[night])) for night in known]
    ambiguous = {names for count in counts for names, number in count.items() if number > 1}
    rows: dict[Names, dict[int, CellSummary]] = {}
    for night in known:
        for cell in cells[night]:
            names = _names(cell)
            key = (*names[:3], cell.cell[:8] if names in ambiguous else "")
            rows.setdefault(key, {})[night.number] = cell
    found = [HistoryRow(names, _metric(rows[names].values()), rows[names]) for names in sorted(rows)]
    return History(tuple(known), tuple(found))


def _names(cell: CellSummary) -> Names:
    return cell.task, cell.backbone, cell.strategy, ""


def _metric(cells: Iterable[CellSummary]) -> str:
    return next((cell.metric for cell in cells if cell.metric), "")


def _cells(night: Night) -> list[CellSummary]:
    def reported(file: Unreadable) -> None:
        print(f"{night.name}: {file.message}; it is left out", file=sys.stderr)

    try:
        return Index(Store.open(night.folder)).summaries(reported).cells
    except StoreError:
        # A night that was interrupted before its first record.
        return []


def drawing(history: History) -> str:
    """Returns an SVG with a chart for each task: the score of each row, with its 95% interval, over commits."""
    return image([_chart(history.nights, task, rows) for task, rows in history.of_task().items() if _scores(rows)])


def _scores(rows: Sequence[HistoryRow]) -> list[HistoryRow]:
    return [row for row in rows if any(cell.value is not None for cell in row.cells.values())]


def _chart(nights: Sequence[Night], task: str, rows: Sequence[HistoryRow]) -> LineChart:
    commits = {night.number: night.commit[:7] for night in nights}
    scored = _scores(rows)
    metric = scored[0].metric
    return LineChart(
        f"{task}: {METRICS[metric].label if metric in METRICS else metric}",
        "commit",
        tuple(night.number for night in nights),
        lambda score: shown(score, metric),
        tuple(map(_series, scored)),
        x_text=lambda number: commits[int(number)],
    )


def _series(row: HistoryRow) -> Series:
    points = tuple(
        ChartPoint(number, cell.value, cell.low, cell.high)
        for number, cell in sorted(row.cells.items())
        if cell.value is not None
    )
    return Series(row.title, points)


def shown(score: float | None, metric: str) -> str:
    """Returns a score as leaderboards show it."""
    return value_texts.measured(score, {"in_points": metric in METRICS and METRICS[metric].in_points})
