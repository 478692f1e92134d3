"""The content of a leaderboard for all formats: sections with typed values, summary, failures, notes and legend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tlbench.results.columns import COLUMNS, OK, PENDING, Row, columns_of, rows_of
from tlbench.results.label_efficiency.curves import NEEDED as OF_CURVES
from tlbench.results.leaderboard import Table
from tlbench.results.notes.equal_rows import NEEDED as OF_EQUAL_ROWS
from tlbench.results.notes.first_rows import NEEDED as RANKED
from tlbench.results.notes.first_rows import FirstRows, first_rows
from tlbench.results.over_tasks import NEEDED, Averages, grouped_averages
from tlbench.results.records.cell_ids import distinct_length
from tlbench.results.render import value_texts as cells
from tlbench.results.render.averages_legend import averages_legend
from tlbench.results.render.curves.efficiency_section import EFFICIENCY_LEGEND, EfficiencySection, efficiency_sections
from tlbench.results.render.escaping import LIMIT, printable
from tlbench.results.render.legend import legend
from tlbench.results.render.page_columns import SUMMARY, Column, PageRow, Value
from tlbench.results.render.published import LEGEND, PublishedRow, published_rows
from tlbench.results.render.task_summary import TaskSummary, task_summaries
from tlbench.results.render.view import Limits, View, shown_positions

if TYPE_CHECKING:
    import pandas as pd

_SECTION_COLUMNS = (
    "task", "status", "metric", "metric_label", "greater_is_better", "in_points", "n", "groups", "group", "detectable",
)  # fmt: skip
_IF_PRESENT = ("metric.f1", "metric.f1_macro", "host_own_bytes", "host_peak_bytes")
"""Columns of which the legend only needs to know whether a row has a value."""
_CONCLUSION_COLUMNS = (*OF_EQUAL_ROWS, "backbone", "strategy", "variant")
"""Columns of which sentences below a ranking are made."""
_LEGEND_LIMIT = 4 * LIMIT
"""Maximum number of characters of a sentence of the legend, which may list many metrics."""
_LEGEND_COLUMNS = (
    "task", "status", "metric", "metric_label", "greater_is_better", "in_points", "metric_worst",
    "ranked_by", "interval_of", "margin", "groups", "gain_over", "gain_interval_of", "searched", "trials_planned",
    "seeds", "folds", "final", "at_floor",
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """The ranking of one task."""

    task: str
    metric: str
    """Label of the ranking metric, with its direction if lower is better; empty if nothing was scored."""
    examples: str
    """Number of test examples and of their groups, if they have any, such as "1,000 test examples in 40 groups
    (document)"; empty if nothing was scored."""
    waiting: str
    """Number of cells without a record, such as "2 cells to come"; empty if there are none."""
    lines: tuple[PageRow, ...]
    """The rows that are shown, best first and failed cells last."""
    hidden: int
    """Number of rows with a record that are not in `lines`."""
    overlap: str
    """A warning about test examples that also occur in the training data; empty if there are none."""
    detectable: Value
    """The smallest difference that the tests find with 80% power, and a sentence that names it; else None and ""."""
    conclusions: tuple[str, ...]
    """What follows from the ranks: whether they leave open if pretrained weights help, and the cheapest first row."""


@dataclass(frozen=True)
class Failure:
    """A cell that ended without a score."""

    title: str
    status: str
    reason: str


class Page:
    """A leaderboard to render. Parts are computed on first access, so unused ones cost nothing.

    Args:
        table: The rows, as a frame or as a `Table`, which avoids building a frame.
        title: The heading.
        command: The command that produces the page, or empty.
        about: A paragraph that renderers insert without escaping, so it must be trusted.
        limits: Maximum numbers of rows; None for all rows.
        view: The columns to show, and remarks on what is left out.
    """

    def __init__(
        self,
        table: pd.DataFrame | Table,
        title: str = "leaderboard",
        command: str = "",
        about: str = "",
        limits: Limits | None = None,
        view: View = View(),  # noqa: B008 - frozen
    ) -> None:
        self.title, self.command, self.about = printable(title), printable(command), about.strip()
        self._table, self._limits, self.view = table, limits, view

    def frame(self) -> pd.DataFrame:
        """Returns the chosen columns, by default all, of all rows in full precision, regardless of the limits."""
        frame = self._table.frame() if isinstance(self._table, Table) else self._table
        return frame[list(self.view.frame_columns)] if self.view.frame_columns else frame

    @cached_property
    def progress(self) -> tuple[int, int]:
        """Number of expected cells with a record, and number of expected cells."""
        columns = self._columns
        # Rows of other suites may be shown too, but they do not count as progress.
        expected = [status for status, counts in zip(columns["status"], columns["expected"], strict=True) if counts]
        return len(expected) - expected.count(PENDING), len(expected)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the rankings, in order."""
        return self.view.columns

    @cached_property
    def filled(self) -> frozenset[str]:
        """Names of the columns with at least one value."""
        return frozenset(
            column.name
            for column in self.columns
            if any(line.values[column.name].text != cells.NOTHING for part in self.sections for line in part.lines)
        )

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The rankings, one for each task."""
        # Tasks without a shown row keep a section, which says how many of their cells are to come.
        shown: dict[str, list[Row]] = cells.by_task(self._shown)
        return tuple(self._section(task, rows, shown.get(task, [])) for task, rows in self._tasks.items())

    @property
    def summary_columns(self) -> tuple[Column, ...]:
        """Columns of the summary, in order."""
        return SUMMARY

    @cached_property
    def summaries(self) -> tuple[TaskSummary, ...]:
        """The means over each group of tasks that share backbones; empty for a single task."""
        # A mean over one task is its score, even if the table has further tasks that are not shown.
        if len(cells.by_task(self._shown)) < 2:
            return ()
        return task_summaries(self.averages, self._limits.summary if self._limits else None)

    @cached_property
    def averages(self) -> tuple[Averages, ...]:
        """The averages over each group of tasks, with the tasks' scales and the tests of all pairs of rows."""
        return self._table.averages() if isinstance(self._table, Table) else grouped_averages(self._columns)

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """Cells that ended without a score."""
        positions = self._failed_positions[: self._limits.failures] if self._limits else self._failed_positions
        return tuple(_failure(row) for row in self._rows(COLUMNS, positions))

    @property
    def failures_hidden(self) -> int:
        """Number of failures beyond the limit."""
        return len(self._failed_positions) - len(self.failures)

    @cached_property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """Marks and texts of the notes on rows: on provenance, learning, search and training data."""
        return tuple((mark, printable(note)) for note, mark in self._marks.items())

    @cached_property
    def legend(self) -> tuple[str, ...]:
        """Sentences that explain the columns and marks of the page."""
        # Of each number it counts only whether it is missing, so that thousands of rows have few combinations.
        columns = {name: self._columns[name] for name in _LEGEND_COLUMNS}
        columns |= {name: [value is not None or None for value in self._columns[name]] for name in _IF_PRESENT}
        kinds = dict.fromkeys(zip(*columns.values(), strict=True))
        rows = [dict(zip(columns, kind, strict=True)) for kind in kinds]
        sentences = [*self.view.remarks, *legend([row for row in rows if row["status"] != PENDING])]
        sentences += averages_legend(self.averages) if self.summaries else []
        sentences += [EFFICIENCY_LEGEND] if self.label_efficiency else []
        sentences += [LEGEND] if self.published else []
        return tuple(printable(sentence, _LEGEND_LIMIT) for sentence in sentences)

    @cached_property
    def published(self) -> tuple[PublishedRow, ...]:
        """Published scores beside ours in the same settings."""
        return published_rows(self.view.references, self._columns["cell"], self._rows)

    @cached_property
    def label_efficiency(self) -> tuple[EfficiencySection, ...]:
        """The learning curves of each task with scores at two or more numbers of training examples."""
        if len({*self._read(["train_examples"])["train_examples"]} - {None}) < 2:
            return ()
        return efficiency_sections(self._read(OF_CURVES), self._limits.summary if self._limits else None)

    def values(self, names: Iterable[str]) -> Mapping[str, Sequence[Any]]:
        """Returns columns of `results/columns.py` of all rows by name, in full precision and in order of the rows."""
        return self._read(names)

    def first_cells(self, limits: Limits) -> set[str]:
        """Returns the ids of the cells that a page with these limits shows."""
        return {self._columns["cell"][i] for i in shown_positions(self._columns, limits)}

    @property
    def is_shortened(self) -> bool:
        """Whether rows of a ranking are hidden."""
        return any(section.hidden for section in self.sections)

    @cached_property
    def _columns(self) -> Mapping[str, Sequence[Any]]:
        """Columns of all rows, not as row dicts: converting a large table is slow, so only shown rows become dicts."""
        names = dict.fromkeys((*_SECTION_COLUMNS, *_LEGEND_COLUMNS, *_IF_PRESENT, *NEEDED, *RANKED, "expected", "cell"))
        return self._read(names)

    @cached_property
    def _id_digits(self) -> int:
        return self.view.id_digits or distinct_length(self._columns["cell"])

    @cached_property
    def _failed_positions(self) -> list[int]:
        return [i for i, status in enumerate(self._columns["status"]) if status not in {OK, PENDING}]

    @cached_property
    def _tasks(self) -> dict[str, list[tuple[Row, int]]]:
        """For each task, the distinct combinations of `_SECTION_COLUMNS`, each with the number of rows that have it."""
        tasks: dict[str, list[tuple[Row, int]]] = {}
        for kind, number in Counter(zip(*(self._columns[name] for name in _SECTION_COLUMNS), strict=True)).items():
            row = dict(zip(_SECTION_COLUMNS, kind, strict=True))
            tasks.setdefault(row["task"], []).append((row, number))
        return tasks

    @cached_property
    def _shown(self) -> list[Row]:
        columns = dict.fromkeys((*COLUMNS, *self.view.frame_columns))
        return self._rows(columns, shown_positions(self._columns, self._limits))

    @cached_property
    def _first_rows(self) -> dict[str, FirstRows]:
        return first_rows(self._columns)

    @cached_property
    def _marks(self) -> dict[str, str]:
        return cells.footnotes(self._shown)

    def _section(self, task: str, kinds: Sequence[tuple[Row, int]], shown: Sequence[Row]) -> Section:
        rows = [row for row, _ in kinds]
        recorded = sum(number for row, number in kinds if row["status"] != PENDING)
        lines = tuple(
            PageRow(
                _values(row, self.columns, cells.marks(row, self._marks)),
                is_best=row["rank"] == 1 and row["status"] == OK,
                status=row["status"],
                cell=row["cell"],
                short_id=row["cell"][: self._id_digits],
            )
            for row in shown
        )
        return Section(
            printable(task),
            printable(cells.metric_label(rows)),
            printable(cells.examples(rows)),
            cells.waiting(sum(number for row, number in kinds if row["status"] == PENDING)),
            lines,
            recorded - len(lines),
            cells.overlap(shown),
            Value(next((row["detectable"] for row in rows if row["detectable"]), None), cells.detectable(rows)),
            self._conclusions(task),
        )

    def _conclusions(self, task: str) -> tuple[str, ...]:
        found = self._first_rows.get(task, FirstRows())
        best = self._rows(_CONCLUSION_COLUMNS, found.positions)
        weightless = self._rows(_CONCLUSION_COLUMNS, [] if found.undecided is None else [found.undecided])
        return tuple(
            printable(text, 2 * LIMIT)
            for text in (*map(cells.undecided, weightless), cells.cheapest_equal(best))
            if text
        )

    def _read(self, names: Iterable[str]) -> Mapping[str, Sequence[Any]]:
        if isinstance(self._table, Table):
            return self._table.columns(names)
        return columns_of(self._table[list(names)])

    def _rows(self, columns: Iterable[str], positions: Sequence[int] | None = None) -> list[Row]:
        if isinstance(self._table, Table):
            return self._table.rows(columns, positions)
        picked = self._table[list(columns)]
        return rows_of(picked if positions is None else picked.take(list(positions)))


def _values(row: Row, columns: Sequence[Column], note: str = "") -> dict[str, Value]:
    values = {}
    for column in columns:
        value, text = column.read(row)
        values[column.name] = Value(value, printable(text), note if column.name == "strategy" else "")
    return values


def _failure(row: Row) -> Failure:
    title = printable(f"{cells.backbone(row)} | {row['task']} | {cells.strategy(row)}")
    return Failure(title, str(row["status"]), printable(row["reason"], 200))
