"""Tables of the HTML report: what a template and the report's script need to show, sort and filter rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tlbench.results.render.page_columns import Column, PageRow

_ALWAYS = frozenset({"rank", "backbone", "strategy", "score", "interval", "mean"})
_IF_WIDE = frozenset({"equal", "gain", "fit", "memory", "trained", "encode", "wins", "tasks", "total"})
_BEST_IS_HIGH = frozenset({"score", "interval", "mean", "wins", "equal", "gain", "accuracy", "f1", "tasks"})
_INTERVAL = "interval"


class TableCell(NamedTuple):
    """One cell of a table."""

    text: str
    key: float | str | None = None
    """What rows are sorted by; None for a missing value, which stays last."""
    note: str = ""
    """Marks of the notes on the row."""


@dataclass(frozen=True)
class TableColumn:
    """One column of a table."""

    name: str
    heading: str
    is_name: bool = False
    level: int = 1
    """1 for a column that phones show too, 2 for wide screens, 3 for those who ask for all columns."""
    falls: bool = False
    """Whether the first click on the heading puts the highest value first."""


class Whisker(NamedTuple):
    """A value and its interval as places on a line from 0 to 100."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class TableRow:
    """One row of a table."""

    cells: tuple[TableCell, ...]
    href: str = ""
    """Page of the row, to which its strategy is a link; empty if it has none."""
    is_best: bool = False
    span: Whisker | None = None
    is_baseline: bool = False


@dataclass(frozen=True)
class DataTable:
    """A table with a caption."""

    id: str
    caption: str
    columns: tuple[TableColumn, ...]
    rows: tuple[TableRow, ...]
    further: tuple[TableRow, ...] = ()
    """Rows that the page's data file has and its HTML does not."""

    def data(self) -> dict[str, Any]:
        """Returns the further rows as JSON data: of each its address, flags, interval, texts, keys and note."""
        return {
            "id": self.id,
            "caption": self.caption,
            "columns": [column.heading for column in self.columns],
            "rows": [
                [
                    row.href,
                    int(row.is_best) + 2 * int(row.is_baseline),
                    row.span,
                    [cell.text for cell in row.cells],
                    [cell.key for cell in row.cells],
                    next((cell.note for cell in row.cells if cell.note), ""),
                ]
                for row in self.further
            ],
        }


def simple_table(id_: str, caption: str, headings: Sequence[str], rows: Sequence[Sequence[TableCell]]) -> DataTable:
    """Returns a table without pages of its rows; columns whose keys are texts have names."""
    columns = [
        TableColumn(f"c{i}", heading, is_name=any(isinstance(cells[i].key, str) for cells in rows))
        for i, heading in enumerate(headings)
    ]
    return DataTable(id_, caption, tuple(columns), tuple(TableRow(tuple(cells)) for cells in rows))


def table_of(
    id_: str,
    caption: str,
    columns: Sequence[Column],
    lines: Sequence[PageRow],
    greater_is_better: bool = True,
    href: Callable[[PageRow], str] = lambda line: "",
    is_shown: Callable[[PageRow], bool] = lambda line: True,
    with_all: bool = False,
) -> DataTable:
    """Returns a table of a page.

    Args:
        id_: The id of its HTML element.
        caption: Its caption, for screen readers.
        columns: The columns to show.
        lines: The rows, best first.
        greater_is_better: Direction of the score.
        href: Returns the address of a row's page.
        is_shown: Returns whether a row is part of the HTML; the others are in the data file.
        with_all: Whether all columns are shown on all screens, since they were chosen.
    """
    scale = _scale(lines)
    shown = tuple(
        TableColumn(
            column.name,
            column.heading,
            column.is_name,
            1 if with_all or column.name in _ALWAYS else 2 if column.name in _IF_WIDE else 3,
            column.name in _BEST_IS_HIGH and (greater_is_better or column.name not in {"score", _INTERVAL}),
        )
        for column in columns
    )
    rows = [(is_shown(line), _row(line, columns, scale, href(line))) for line in lines]
    return DataTable(
        id_, caption, shown, tuple(row for is_in, row in rows if is_in), tuple(row for is_in, row in rows if not is_in)
    )


def _row(line: PageRow, columns: Sequence[Column], scale: tuple[float, float], href: str) -> TableRow:
    cells = []
    for column in columns:
        value = line.values[column.name]
        key = value.value
        if isinstance(key, tuple):
            key = key[0]
        cells.append(TableCell(value.text, value.text if column.is_name else key, value.note))
    backbone = line.values.get("backbone")
    return TableRow(tuple(cells), href, line.is_best, _span(line, scale), backbone is not None and not backbone.value)


def _score(line: PageRow) -> float | None:
    value = line.values.get("score") or line.values.get("mean")
    return None if value is None or not isinstance(value.value, int | float) else float(value.value)


def _ends(line: PageRow) -> tuple[float, float] | None:
    value = line.values.get(_INTERVAL)
    return None if value is None or value.value is None else value.value


def _scale(lines: Sequence[PageRow]) -> tuple[float, float]:
    """Returns the lowest and the highest end of all intervals and scores."""
    known = [end for line in lines for end in (*(_ends(line) or ()), _score(line)) if end is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    return (low, high) if high > low else (low, low + 1.0)


def _span(line: PageRow, scale: tuple[float, float]) -> Whisker | None:
    ends, score = _ends(line), _score(line)
    if ends is None or score is None:
        return None
    low, high = scale
    return Whisker(*(round(100 * (value - low) / (high - low), 1) for value in (ends[0], score, ends[1])))
