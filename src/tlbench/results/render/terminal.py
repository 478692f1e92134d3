"""The leaderboard for a terminal: a section for each task, as many columns as fit, and a summary over tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from tlbench.results.columns import COLUMNS, OK, PENDING, Row, rows_of
from tlbench.results.leaderboard import Table as Ranking
from tlbench.results.render import cells
from tlbench.results.render.cells import NOTHING
from tlbench.results.render.legend import legend
from tlbench.results.render.plain import plain_text, printable
from tlbench.results.summary import NEEDED, summed

if TYPE_CHECKING:
    import pandas as pd

_SHORTEST_NAME = 8
_LONGEST_NAME = 32
_ROWS, _ROWS_OF_A_TASK = 200, 5
"""How many rows are shown of all rankings together, and of each at least."""
_SUMMED = 40
_FAILED = 10
_SHORTENED = "Of a long ranking the best are shown: --format csv has every row, --task more of one."
_OF_EVERY_ROW = ("task", "backbone", "status", "tied", "ranked_by", "metric", "n", "searched", "seeds")
_OF_ALL = tuple(dict.fromkeys((*_OF_EVERY_ROW, *NEEDED, "expected")))


@dataclass(frozen=True)
class Column:
    """One column: a heading of one or two lines, and a row's text in it."""

    heading: str
    text: Callable[[Row], str]
    is_name: bool = False

    def width(self, rows: Iterable[Row]) -> int:
        """Returns how wide the heading and all rows make it."""
        texts = [*self.heading.split("\n"), *(printable(self.text(row)) for row in rows)]
        return max(cell_len(text) for text in texts)


_SHOWN: dict[str, Column] = {
    "rank": Column("#", cells.place),
    "backbone": Column("backbone", cells.backbone, is_name=True),
    "strategy": Column("strategy", cells.strategy, is_name=True),
    "score": Column("score", cells.outcome),
    "interval": Column("95%\ninterval", cells.interval),
    "spread": Column("±", cells.spread),
    "gain": Column("gain", cells.gain),
    "accuracy": Column("acc.", lambda row: cells.points(row["accuracy"])),
    "f1": Column("F1", cells.f1),
    "runs": Column("trials\nx seeds", cells.runs),
    "encode": Column("encode", lambda row: cells.seconds(row["encode_seconds"])),
    "fit": Column("fit", lambda row: cells.seconds(row["fit_seconds"])),
    "search": Column("search", lambda row: cells.seconds(row["search_seconds"])),
    "predict": Column("predict", lambda row: cells.seconds(row["predict_seconds"])),
    "memory": Column("memory", lambda row: cells.size(row["host_peak_bytes"])),
    "device": Column("device\nmemory", lambda row: cells.size(row["device_allocated_bytes"])),
    "trained": Column("tuned\nparams", lambda row: cells.count(row["trainable_parameters"])),
}
_ALWAYS = ("rank", "backbone", "strategy", "score")
_IF_THEY_FIT = (
    "interval", "gain", "spread", "fit", "runs", "memory", "trained", "encode", "search", "accuracy", "f1", "device",
    "predict",
)  # fmt: skip


class Leaderboard:
    """A renderable: every task's ranking, the summary over tasks, and what is needed to read them.

    Which columns are shown depends on the width that there is, and of long rankings the best rows; the frame has all.
    """

    def __init__(self, table: pd.DataFrame | Ranking, title: str = "leaderboard") -> None:
        every = _rows(table, _OF_ALL)
        failed = [i for i, row in enumerate(every) if row["status"] not in {OK, PENDING}]
        expected = [row for row in every if row["expected"]]
        self._title, self._tasks, self._summary = title, cells.by_task(every), summed(every)
        self._shown = _rows(table, COLUMNS, _chosen(every))
        self._failed, self._failures = _rows(table, COLUMNS, failed[:_FAILED]), len(failed)
        self._done, self._total = sum(row["status"] != PENDING for row in expected), len(expected)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the sections, no wider than the console."""
        yield Text.assemble((printable(self._title), "bold"), f"   {self._done} of {self._total} cells")
        if not self._shown:
            yield Text("nothing is recorded yet")
            return
        every = [row for rows in self._tasks.values() for row in rows if row["status"] != PENDING]
        notes = cells.footnotes(self._shown)
        layout = _layout(self._shown, notes, options.max_width)
        shown = cells.by_task(self._shown)
        for number, (task, rows) in enumerate(self._tasks.items()):
            yield Text("")
            yield _section_title(task, rows)
            yield _section(shown.get(task, []), notes, layout, heading=number == 0)
            yield from _more(sum(row["status"] != PENDING for row in rows) - len(shown.get(task, [])))
            if overlap := cells.overlap(shown.get(task, [])):
                yield Text(f"overlap: {overlap}", style="dim")
        if len(shown) > 1:
            yield Text("")
            yield Text("over all tasks", style="bold")
            yield _summary_table(self._summary[:_SUMMED])
            yield from _more(len(self._summary) - _SUMMED)
        yield from _failures(self._failed, self._failures)
        yield Text("")
        for mark, note in ((mark, note) for note, mark in notes.items()):
            yield Text(f"({mark}) unlike most of this table: {printable(note)}", style="dim")
        for line in legend(every):
            yield Text(line, style="dim")
        if len(self._shown) < len(every):
            yield Text(_SHORTENED, style="dim")


def leaderboard(table: pd.DataFrame | Ranking, title: str = "leaderboard") -> Leaderboard:
    """Returns the leaderboard for a console of any width."""
    return Leaderboard(table, title)


def _summary_table(rows: Sequence[Row]) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for heading in ("backbone", "strategy"):
        grid.add_column(Text(heading), overflow="fold", max_width=_LONGEST_NAME)
    for heading in ("mean", "mean rank", "wins", "tasks", "encode", "fit", "total"):
        grid.add_column(Text(heading), justify="right", no_wrap=True)
    complete = [row["mean"] for row in rows if row["mean"] is not None and row["tasks"] == row["tasks_total"]]
    best = max(complete, default=None)
    for row in rows:
        texts = (
            cells.backbone(row), cells.strategy(row), cells.points(row["mean"]),
            NOTHING if row["rank"] is None else f"{row['rank']:.1f}", f"{row['wins']}",
            f"{row['tasks']}/{row['tasks_total']}",
            *(cells.seconds(row[f"{part}_seconds"]) for part in ("encode", "fit", "total")),
        )  # fmt: skip
        is_best = best is not None and row["mean"] == best
        grid.add_row(*(plain_text(text, "bold" if is_best else "") for text in texts))
    return grid


def _section_title(task: str, rows: Sequence[Row]) -> Text:
    about = [cells.metric_label(rows), cells.examples(rows), cells.waiting(rows)]
    title = plain_text(task, "bold")
    return title.append("   " + ", ".join(part for part in about if part), style="dim")


def _section(rows: Sequence[Row], notes: dict[str, str], layout: dict[str, int], heading: bool) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=heading, header_style="dim")
    for name, width in layout.items():
        column = _SHOWN[name]
        grid.add_column(
            Text(column.heading),
            justify="left" if column.is_name or name == "rank" else "right",
            width=width,
            no_wrap=not column.is_name,
            overflow="fold" if column.is_name else "ellipsis",
            vertical="top",
        )
    for row in rows:
        if row["status"] == PENDING:
            continue
        style = "bold" if row["rank"] == 1 and row["status"] == OK else ""
        texts = {name: _SHOWN[name].text(row) for name in layout}
        texts["strategy"] += cells.marks(row, notes)
        grid.add_row(*(plain_text(text, style if name in {*_ALWAYS} else "") for name, text in texts.items()))
    return grid


def _layout(rows: Sequence[Row], notes: dict[str, str], available: int) -> dict[str, int]:
    """Returns the columns that fit and their widths, in the order in which they are shown."""
    widths = {name: column.width(rows) for name, column in _SHOWN.items()}
    widths["strategy"] = max(cell_len(printable(cells.strategy(row) + cells.marks(row, notes))) for row in rows)
    for name in ("backbone", "strategy"):
        widths[name] = min(max(widths[name], _SHORTEST_NAME), _LONGEST_NAME)
    chosen = dict.fromkeys(_ALWAYS, True)
    free = available - sum(widths[name] + 1 for name in chosen) + 1
    # The longest names fold before anything else is narrowed.
    while free < 0 and max(widths["strategy"], widths["backbone"]) > _SHORTEST_NAME:
        widths["strategy" if widths["strategy"] >= widths["backbone"] else "backbone"] -= 1
        free += 1
    for name in _IF_THEY_FIT:
        column = _SHOWN[name]
        if all(column.text(row) == NOTHING for row in rows):
            continue
        if widths[name] + 1 > free:
            break
        chosen[name] = True
        free -= widths[name] + 1
    return {name: widths[name] for name in _SHOWN if name in chosen}


def _failures(rows: Sequence[Row], total: int) -> Iterable[Text]:
    if rows:
        yield Text("")
        yield Text("without a score", style="bold")
    for row in rows:
        title = printable(f"{cells.backbone(row)} | {row['task']} | {cells.strategy(row)}")
        yield Text(f"{title}: {row['status']}: {printable(row['reason'], 200) or 'no reason was recorded'}")
    yield from _more(total - len(rows))


def _chosen(rows: Sequence[Row]) -> list[int]:
    """Returns which rows to show: the best of each task, and trivial baselines."""
    places: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if row["status"] != PENDING:
            places.setdefault(row["task"], []).append(i)
    number = max(_ROWS_OF_A_TASK, _ROWS // max(1, len(places)))
    chosen: set[int] = set()
    for ranked in places.values():
        chosen.update(ranked[:number])
        # What looks through no backbone says what the task gives for nothing.
        chosen.update([i for i in ranked[number:] if not rows[i]["backbone"]][:_ROWS_OF_A_TASK])
    return sorted(chosen)


def _rows(table: pd.DataFrame | Ranking, columns: Iterable[str], places: Sequence[int] | None = None) -> list[Row]:
    if isinstance(table, Ranking):
        return table.rows(columns, places)
    picked = table[list(columns)]
    return rows_of(picked if places is None else picked.take(list(places)))


def _more(number: int) -> Iterable[Text]:
    if number > 0:
        yield Text(f"and {number:,} more", style="dim")
