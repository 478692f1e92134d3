"""The columns and rows of a leaderboard's tables: how each column gets its value and displayed text from a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tlbench.results.columns import OK, Row, metric_column
from tlbench.results.render import value_texts as cells
from tlbench.results.render.memory_texts import memory, memory_bytes


@dataclass(frozen=True, slots=True)
class Value:
    """One cell of a table."""

    value: Any
    """The value in full precision: a number, an unescaped text from a record, a pair of numbers, or None if missing."""
    text: str
    """The value as displayed: rounded, in points or with a unit, without invisible characters; "-" if missing."""
    note: str = ""
    """Marks of the notes (`Page.notes`) that apply to the row, such as "a, c"; empty if there are none."""


@dataclass(frozen=True)
class PageRow:
    """A row of a ranking or of the summary."""

    values: Mapping[str, Value]
    """Values by column name."""
    is_best: bool = False
    """Whether no other row ranks higher."""
    status: str = OK
    cell: str = ""
    """Id of the record's cell; empty in the summary."""
    short_id: str = ""
    """The beginning of the id, long enough to tell the cell from the others; `tlbench show` takes it."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    heading: str
    short: str
    """A heading of one or two lines for narrow tables."""
    read: Callable[[Row], tuple[Any, str]]
    """Returns the value and the text of a row."""
    is_name: bool = False
    """Whether the values are names, which formats escape and align to the left."""


def _column(name: str, text: Callable[[Row], str]) -> Callable[[Row], tuple[Any, str]]:
    """Returns a `read` function that takes the value from the column `name` and the text from the function `text`."""
    return lambda row: (row[name], text(row))


def _seconds(name: str) -> Callable[[Row], tuple[Any, str]]:
    return lambda row: (row[name], cells.seconds(row[name]))


# The column "F1" falls back to macro F1 for tasks with more than two classes.
_F1 = (metric_column("f1"), metric_column("f1_macro"))
_ACCURACY = metric_column("accuracy")
RANKING = (
    Column("rank", "rank", "#", _column("rank", cells.place)),
    Column("backbone", "backbone", "backbone", lambda row: (row["backbone"] or None, cells.backbone(row)), True),
    Column("strategy", "strategy", "strategy", _column("strategy", cells.strategy), True),
    Column("score", "score", "score", _column("value", cells.outcome)),
    Column("interval", "95% interval", "95%\ninterval", lambda row: (_pair(row, "low", "high"), cells.interval(row))),
    Column("equal", "P(equal to best)", "P(equal\nto best)", _column("p_equal", cells.probability)),
    Column("spread", "± over seeds", "±", _column("seed_std", cells.spread)),
    Column("gain", "gain", "gain", _column("gain", cells.gain)),
    Column(
        "gain_interval", "95% of gain", "95% of\ngain",
        lambda row: (_pair(row, "gain_low", "gain_high"), cells.gain_interval(row)),
    ),
    Column("accuracy", "accuracy", "acc.", lambda row: (row[_ACCURACY], cells.points(row[_ACCURACY]))),
    Column("f1", "F1", "F1", lambda row: (row[_F1[0]] if row[_F1[0]] is not None else row[_F1[1]], cells.f1(row))),
    # None, not 1: a single setting that was not searched is no search of one trial.
    Column(
        "trials", "trials", "trials",
        lambda row: (row["trials"] if cells.is_searched(row) else None, cells.trials(row)),
    ),
    Column("seeds", "seeds", "seeds", _column("seeds", cells.seeds)),
    Column("encode", "encode", "encode", _seconds("encode_seconds")),
    Column("fit", "fit", "fit", _seconds("fit_seconds")),
    Column("search", "search", "search", _seconds("search_seconds")),
    Column("predict", "predict", "predict", _seconds("predict_seconds")),
    Column("memory", "memory", "memory", lambda row: (memory_bytes(row), memory(row))),
    Column(
        "device_memory", "device memory", "device\nmemory",
        _column("device_allocated_bytes", lambda row: cells.size(row["device_allocated_bytes"])),
    ),
    Column(
        "trained", "tuned parameters", "tuned\nparams",
        _column("trainable_parameters", lambda row: cells.count(row["trainable_parameters"])),
    ),
)  # fmt: skip
"""Columns of a ranking."""
SUMMARY = (
    # Rank, backbone and strategy.
    *RANKING[:3],
    Column("mean", "mean", "mean", lambda row: (row["mean"], cells.points(row["mean"]))),
    Column(
        "interval", "95% interval", "95%\ninterval",
        lambda row: (_pair(row, "low", "high"), cells.mean_interval(row)),
    ),
    Column("wins", "wins", "wins", _column("wins", lambda row: f"{row['wins']}")),
    Column("tasks", "tasks", "tasks", _column("tasks", cells.coverage)),
    Column("encode", "encode", "encode", _seconds("encode_seconds")),
    Column("fit", "fit", "fit", _seconds("fit_seconds")),
    Column("total", "total", "total", _seconds("total_seconds")),
)  # fmt: skip
"""Columns of the summary over tasks."""


def _pair(row: Row, low: str, high: str) -> tuple[float, float] | None:
    return None if row[low] is None or row[high] is None else (row[low], row[high])
