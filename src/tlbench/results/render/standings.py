"""The current standings of a run, as a small table for the live view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from tlbench.results.columns import OK, PENDING, Row, rows_of
from tlbench.results.over_tasks import summary
from tlbench.results.render import value_texts as cells
from tlbench.results.render.escaping import plain_text, printable

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

_TO_COME = "·"
_NAME_WIDTH = 28
_MEAN = "over floor"
"""Heading of the mean over tasks on the scale from the floor, 0, to the best value, 100."""


class Standings:
    """A leaderboard to print with rich: column headings and at most `max_rows` rows.

    On a wide console, it has a row for each backbone and strategy, best mean first, and a column for each task; the
    best score of a task is bold and starred. On a narrow console, it has a row for each task with its best cell.
    """

    def __init__(self, table: pd.DataFrame, max_rows: int = 12) -> None:
        self._rows = rows_of(table)
        self._entries = rows_of(summary(table))
        self._max_rows = max_rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the wide form if it fits, else the narrow one."""
        grid = self._grid()
        # Measured with room to spare: with the real options, rich would shrink the columns to fit.
        if console.measure(grid, options=options.update(width=10_000)).minimum <= options.max_width:
            yield grid
            hidden = len(self._entries) - grid.row_count
        else:
            leaders = self._leaders()
            yield leaders
            hidden = len(cells.by_task(self._rows)) - leaders.row_count
        if hidden:
            yield Text(f"and {hidden} more", style="dim")

    def _first(self, lines: Sequence[T]) -> Sequence[T]:
        # The last line is needed for "and N more".
        return lines if len(lines) <= self._max_rows else lines[: self._max_rows - 1]

    def _grid(self) -> Table:
        tasks = cells.by_task(self._rows)
        best = {task: _best(rows) for task, rows in tasks.items()}
        by_cell = {(row["task"], *_key(row)): row for row in self._rows}
        grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for name in ("backbone", "strategy"):
            longest = max([cell_len(name), *(cell_len(_name(entry, name)) for entry in self._entries)])
            width = min(longest, _NAME_WIDTH)
            grid.add_column(Text(name), no_wrap=True, overflow="ellipsis", min_width=width, max_width=width)
        for name in (*tasks, _MEAN):
            grid.add_column(plain_text(name), justify="right", no_wrap=True, min_width=cell_len(printable(name)))
        for entry in self._first(self._entries):
            texts = [plain_text(_name(entry, "backbone")), plain_text(_name(entry, "strategy"))]
            texts += [_score(by_cell.get((task, *_key(entry))), best[task]) for task in tasks]
            # Shown only when all tasks are done: a mean over some of them would jump with each further task.
            complete = entry["tasks"] + entry["failed"] == entry["tasks_total"]
            grid.add_row(*texts, Text(cells.points(entry["mean"]) if complete else _TO_COME))
        return grid

    def _leaders(self) -> Table:
        tasks = cells.by_task(self._rows)
        grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        grid.add_column(Text("task"), overflow="fold")
        grid.add_column(Text("best so far"), overflow="fold")
        grid.add_column(Text("score"), justify="right", no_wrap=True)
        grid.add_column(Text("cells"), justify="right", no_wrap=True)
        for task, rows in self._first(list(tasks.items())):
            best = _best(rows)
            name = f"{cells.backbone(best)} {cells.strategy(best)}" if best else _TO_COME
            done = sum(row["status"] != PENDING for row in rows)
            score = cells.score(best) if best else _TO_COME
            grid.add_row(plain_text(task), plain_text(name), plain_text(score), Text(f"{done}/{len(rows)}"))
        return grid


def standings(table: pd.DataFrame, max_rows: int = 12) -> Standings:
    """Returns the standings of a leaderboard frame; give it all expected cells, so that no rows are added later."""
    return Standings(table, max_rows)


def _key(row: Row) -> tuple[str, str, str]:
    return row["backbone"], row["strategy"], row["variant"]


def _name(entry: Row, axis: str) -> str:
    return printable(cells.backbone(entry) if axis == "backbone" else cells.strategy(entry))


def _best(rows: Sequence[Row]) -> Row | None:
    # Rows are sorted, best first.
    return next((row for row in rows if row["status"] == OK), None)


def _score(row: Row | None, best: Row | None) -> Text:
    if row is None:
        return Text("")
    if row["status"] == PENDING:
        return Text(_TO_COME, style="dim")
    if best is not None and row["status"] == OK and row["value"] == best["value"]:
        return Text(f"*{cells.score(row)}", style="bold")
    return plain_text(cells.outcome(row))
