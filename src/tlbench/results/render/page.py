"""What a leaderboard shows, once for all formats: sections of typed cells, summary, failures, notes and legend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tlbench.results.columns import COLUMNS, OK, PENDING, Row, columns_of, rows_of
from tlbench.results.leaderboard import Table
from tlbench.results.over_tasks import NEEDED, summed
from tlbench.results.render import value_texts as cells
from tlbench.results.render.escaping import LIMIT, printable
from tlbench.results.render.legend import legend
from tlbench.results.render.page_columns import RANKING, SUMMARY, Column, Value

if TYPE_CHECKING:
    import pandas as pd

_OF_A_SECTION = ("task", "status", "metric", "metric_label", "greater_is_better", "n")
_F1 = ("metric.f1", "metric.f1_macro")
_LEGEND_LIMIT = 4 * LIMIT
"""How many characters of a sentence of the legend are shown: it may name many metrics."""
_OF_THE_LEGEND = (
    "task", "status", "metric", "metric_label", "greater_is_better", "in_points", "metric_worst", "tied",
    "ranked_by", "searched", "seeds",
)  # fmt: skip


@dataclass(frozen=True)
class PageRow:
    """One row of a table: an entry of a ranking, or of the summary."""

    values: Mapping[str, Value]
    """By the names of the table's columns."""
    is_best: bool = False
    """Whether nothing ranks higher."""
    status: str = OK
    cell: str = ""
    """The id of its record's cell; empty in the summary."""


@dataclass(frozen=True)
class Section:
    """The ranking of one task."""

    task: str
    metric: str
    """The heading of what it is ranked by, with its direction where less is better; empty if nothing was scored."""
    examples: str
    """How many test examples, such as "1,000 test examples"; empty if nothing was scored."""
    waiting: str
    """How many cells have no record yet, such as "2 cells to come", or empty."""
    lines: tuple[PageRow, ...]
    """Best first; what failed stands last."""
    hidden: int
    """How many more there are."""
    overlap: str
    """What is to be said of test examples that stand in the training data too, or empty."""


@dataclass(frozen=True)
class Failure:
    """A cell that ended without a score."""

    title: str
    status: str
    reason: str


@dataclass(frozen=True)
class Limits:
    """How much of a long leaderboard is shown."""

    rows: int = 200
    rows_of_a_task: int = 5
    summary: int = 40
    failures: int = 10


class Page:
    """A leaderboard as it is shown. What a renderer does not ask for is not made.

    Args:
        table: A frame, or what it is made of.
        title: The heading.
        command: The command that makes the page, or empty.
        about: A paragraph that the caller wrote and trusts.
        limits: How much is shown; None for all.
    """

    def __init__(
        self,
        table: pd.DataFrame | Table,
        title: str = "leaderboard",
        command: str = "",
        about: str = "",
        limits: Limits | None = None,
    ) -> None:
        self.title, self.command, self.about = printable(title), printable(command), about.strip()
        self._table, self._limits = table, limits

    def frame(self) -> pd.DataFrame:
        """Returns all columns of all rows in full precision, whatever the limits."""
        return self._table.frame() if isinstance(self._table, Table) else self._table

    @cached_property
    def progress(self) -> tuple[int, int]:
        """How many of the expected cells have a record, and how many are expected."""
        every = self._every
        expected = [status for status, asked in zip(every["status"], every["expected"], strict=True) if asked]
        return len(expected) - expected.count(PENDING), len(expected)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of every section, in order."""
        return RANKING

    @cached_property
    def filled(self) -> frozenset[str]:
        """The names of the columns in which some line has something."""
        return frozenset(
            column.name
            for column in self.columns
            if any(line.values[column.name].text != cells.NOTHING for part in self.sections for line in part.lines)
        )

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """A ranking for each task."""
        shown: dict[str, list[Row]] = cells.by_task(self._shown)
        return tuple(self._section(task, rows, shown.get(task, [])) for task, rows in self._tasks.items())

    @property
    def summary_columns(self) -> tuple[Column, ...]:
        """The columns of the summary, in order."""
        return SUMMARY

    @cached_property
    def summary(self) -> tuple[PageRow, ...]:
        """An entry for each backbone and strategy over all tasks, best first; none where there is one task alone."""
        entries = self._summary[: self._limits.summary] if self._limits else self._summary
        complete = [row["mean"] for row in entries if row["mean"] is not None and row["tasks"] == row["tasks_total"]]
        best = max(complete, default=None)
        return tuple(
            PageRow(_values(row, SUMMARY), is_best=best is not None and row["mean"] == best) for row in entries
        )

    @property
    def summary_hidden(self) -> int:
        """How many more entries the summary has."""
        return len(self._summary) - len(self.summary)

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """What ended without a score."""
        places = self._failed[: self._limits.failures] if self._limits else self._failed
        return tuple(_failure(row) for row in self._rows(COLUMNS, places))

    @property
    def failures_hidden(self) -> int:
        """How many more failures there are."""
        return len(self._failed) - len(self.failures)

    @cached_property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """The marks of the notes on provenance, and what each says: in what a line is unlike most of the table."""
        return tuple((mark, printable(note)) for note, mark in self._marks.items())

    @cached_property
    def legend(self) -> tuple[str, ...]:
        """What a reader must know to read the page, a sentence or two each."""
        # Thousands of rows have few kinds of what it speaks of.
        columns = {name: self._every[name] for name in _OF_THE_LEGEND}
        columns |= {name: [value is not None or None for value in self._every[name]] for name in _F1}
        kinds = dict.fromkeys(zip(*columns.values(), strict=True))
        rows = [dict(zip(columns, kind, strict=True)) for kind in kinds]
        return tuple(
            printable(sentence, _LEGEND_LIMIT) for sentence in legend([row for row in rows if row["status"] != PENDING])
        )

    @property
    def is_shortened(self) -> bool:
        """Whether the page leaves out rows of its rankings."""
        return any(section.hidden for section in self.sections)

    @cached_property
    def _every(self) -> Mapping[str, Sequence[Any]]:
        """Columns of all rows. These may be many, so they are never made into rows."""
        names = dict.fromkeys((*_OF_A_SECTION, *_OF_THE_LEGEND, *_F1, *NEEDED, "expected"))
        if isinstance(self._table, Table):
            return self._table.columns(names)
        return columns_of(self._table[list(names)])

    @cached_property
    def _failed(self) -> list[int]:
        return [i for i, status in enumerate(self._every["status"]) if status not in {OK, PENDING}]

    @cached_property
    def _tasks(self) -> dict[str, list[tuple[Row, int]]]:
        """For each task the kinds of its rows, as far as a section speaks of all of them, and how many are of each."""
        tasks: dict[str, list[tuple[Row, int]]] = {}
        for kind, number in Counter(zip(*(self._every[name] for name in _OF_A_SECTION), strict=True)).items():
            row = dict(zip(_OF_A_SECTION, kind, strict=True))
            tasks.setdefault(row["task"], []).append((row, number))
        return tasks

    @cached_property
    def _summary(self) -> list[Row]:
        return summed(self._every) if len(cells.by_task(self._shown)) > 1 else []

    @cached_property
    def _shown(self) -> list[Row]:
        return self._rows(COLUMNS, _chosen(self._every, self._limits))

    @cached_property
    def _marks(self) -> dict[str, str]:
        return cells.footnotes(self._shown)

    def _section(self, task: str, kinds: Sequence[tuple[Row, int]], shown: Sequence[Row]) -> Section:
        rows = [row for row, _ in kinds]
        recorded = sum(number for row, number in kinds if row["status"] != PENDING)
        lines = tuple(
            PageRow(
                _values(row, RANKING, cells.marks(row, self._marks)),
                is_best=row["rank"] == 1 and row["status"] == OK,
                status=row["status"],
                cell=row["cell"],
            )
            for row in shown
        )
        return Section(
            printable(task),
            printable(cells.metric_label(rows)),
            cells.examples(rows),
            cells.waiting(sum(number for row, number in kinds if row["status"] == PENDING)),
            lines,
            recorded - len(lines),
            cells.overlap(shown),
        )

    def _rows(self, columns: Iterable[str], places: Sequence[int] | None = None) -> list[Row]:
        if isinstance(self._table, Table):
            return self._table.rows(columns, places)
        picked = self._table[list(columns)]
        return rows_of(picked if places is None else picked.take(list(places)))


def _values(row: Row, columns: Sequence[Column], note: str = "") -> dict[str, Value]:
    found = {}
    for column in columns:
        value, text = column.read(row)
        found[column.name] = Value(value, printable(text), note if column.name == "strategy" else "")
    return found


def _failure(row: Row) -> Failure:
    title = printable(f"{cells.backbone(row)} | {row['task']} | {cells.strategy(row)}")
    return Failure(title, str(row["status"]), printable(row["reason"], 200))


def _chosen(columns: Mapping[str, Sequence[Any]], limits: Limits | None) -> list[int]:
    """Returns which rows to show: within limits the best of each task, and trivial baselines."""
    places: dict[str, list[int]] = {}
    for i, (task, status) in enumerate(zip(columns["task"], columns["status"], strict=True)):
        if status != PENDING:
            places.setdefault(task, []).append(i)
    if limits is None:
        return [i for ranked in places.values() for i in ranked]
    number = max(limits.rows_of_a_task, limits.rows // max(1, len(places)))
    chosen: set[int] = set()
    for ranked in places.values():
        chosen.update(ranked[:number])
        # What looks through no backbone says what the task gives for nothing.
        chosen.update([i for i in ranked[number:] if not columns["backbone"][i]][: limits.rows_of_a_task])
    return sorted(chosen)
