"""The section "Published beside ours": published scores, ours in the same setting, and their differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tlbench.contracts.published.reference import PublishedScore, Reference
from tlbench.metrics import METRICS
from tlbench.results.columns import Row, metric_column
from tlbench.results.render import value_texts as cells
from tlbench.results.render.escaping import printable
from tlbench.results.render.page_columns import RANKING, Column, Value

HEADING = "Published beside ours"
LEGEND = (
    "published: as its source gives it, ± the standard deviation over its repetitions, or SE the standard error; "
    "ours: the row of this page in that setting; difference: ours minus published."
)
_COLUMNS = (
    "cell", "task", "backbone", "strategy", "variant", "metric", "value", "low", "high", "seed_std", "in_points",
)  # fmt: skip
"""Columns of a table that the section reads, beside those of metrics."""


def _published(row: Row) -> str:
    score: PublishedScore = row["reference"]
    text = cells.measured(score.value, row)
    if score.std is not None:
        return f"{text} ± {cells.measured(score.std, row)}"
    return text if score.stderr is None else f"{text}, SE {cells.measured(score.stderr, row)}"


def _ours(row: Row) -> str:
    return cells.score(row) if row["seed_std"] is None else f"{cells.score(row)} ± {cells.spread(row)}"


def _difference(row: Row) -> tuple[float | None, str]:
    if row["value"] is None:
        return None, cells.NOTHING
    difference = row["value"] - row["reference"].value
    text = cells.measured(difference, row)
    return difference, text if text.startswith("-") else f"+{text}"


_RANKING = {column.name: column for column in RANKING}
PUBLISHED = (
    Column("task", "task", "task", lambda row: (row["task"], str(row["task"])), True),
    _RANKING["backbone"],
    _RANKING["strategy"],
    Column("metric", "metric", "metric", lambda row: (row["reference"].metric, row["label"])),
    Column("published", "published", "published", lambda row: (row["reference"].value, _published(row))),
    Column("ours", "ours", "ours", lambda row: (row["value"], _ours(row))),
    _RANKING["interval"],
    Column("difference", "difference", "differ-\nence", _difference),
    Column("source", "source", "source", lambda row: (row["reference"].url, f"[{row['number']}]")),
)
"""Columns of the section; they read a table's row with the keys `reference`, `label` (of its metric) and `number`."""


@dataclass(frozen=True)
class PublishedRow:
    """A published score beside ours."""

    values: Mapping[str, Value]
    """Values by column name."""
    cell: str
    """Id of the cell that repeats the setting."""
    score: PublishedScore
    """The published score, with texts that are not escaped."""
    setting: str
    """How the published score was measured, in one line of visible characters."""
    differs: str
    """What is known to differ in ours, in one line of visible characters; empty if nothing is."""
    source: str
    """The publication, in one line of visible characters."""
    number: int
    """The number by which the row names its source, from 1."""


def published_rows(
    references: Sequence[Reference], cell_ids: Sequence[str], read: Callable[[list[str], list[int]], list[Row]]
) -> tuple[PublishedRow, ...]:
    """Returns a row for each reference whose cell has a row in the table.

    Args:
        references: The published scores.
        cell_ids: The cell's id of each row of the table.
        read: Returns the rows of the table with these columns at these positions.
    """
    wanted = {one.cell for one in references}
    positions = [position for position, cell_id in enumerate(cell_ids) if cell_id in wanted]
    metrics = dict.fromkeys(metric_column(one.score.metric) for one in references)
    rows = {row["cell"]: row for row in read([*_COLUMNS, *metrics], positions)} if positions else {}
    shown = [one for one in references if one.cell in rows]
    return tuple(_published_row(one, rows[one.cell], number) for number, one in enumerate(shown, 1))


def _published_row(reference: Reference, row: Row, number: int) -> PublishedRow:
    score, metric = reference.score, METRICS.get(reference.score.metric)
    is_ranked_by = row["metric"] == score.metric
    in_points = metric.in_points if metric else is_ranked_by and row["in_points"]
    row = {**row, "reference": score, "number": number, "in_points": in_points}
    row["label"] = metric.label if metric else score.metric
    if not is_ranked_by:
        # A table has intervals and spreads of the ranking metric alone.
        row |= {"value": row[metric_column(score.metric)], "low": None, "high": None, "seed_std": None}
    read = {column.name: column.read(row) for column in PUBLISHED}
    values = {name: Value(value, printable(text)) for name, (value, text) in read.items()}
    setting, differs, source = map(printable, (score.setting, score.differs, score.source))
    return PublishedRow(values, reference.cell, score, setting, differs, source, number)
