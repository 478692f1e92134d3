"""The columns of a leaderboard frame: their order, and what each holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from tlbench.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

Row: TypeAlias = dict[str, Any]
"""One row of a frame: column to value, None for what is missing."""

COLUMNS: dict[str, str] = {
    "cell": "str",
    "task": "str",
    "backbone": "str",
    "strategy": "str",
    "variant": "str",
    "status": "str",
    "rank": "Int64",
    "tied": "bool",
    "ranked_by": "str",
    "metric": "str",
    "metric_label": "str",
    "greater_is_better": "bool",
    "in_points": "bool",
    "metric_worst": "float64",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "seed_std": "float64",
    "seed_min": "float64",
    "seed_max": "float64",
    "gain": "float64",
    "n": "Int64",
    "trials": "Int64",
    "searched": "bool",
    "seeds": "Int64",
    "seeds_planned": "Int64",
    "metric.accuracy": "float64",
    "metric.f1": "float64",
    "metric.f1_macro": "float64",
    "validation": "float64",
    "setup_seconds": "float64",
    "encode_seconds": "float64",
    "encode_paid_seconds": "float64",
    "fit_seconds": "float64",
    "search_seconds": "float64",
    "predict_seconds": "float64",
    "total_seconds": "float64",
    "host_peak_bytes": "Int64",
    "host_added_bytes": "Int64",
    "device_allocated_bytes": "Int64",
    "device_reserved_bytes": "Int64",
    "energy_joules": "float64",
    "parameters": "Int64",
    "trainable_parameters": "Int64",
    "examples_seen": "Int64",
    "test_reads": "Int64",
    "overlap": "Int64",
    "max_steps": "Int64",
    "epochs": "float64",
    "train_limit": "Int64",
    "device": "str",
    "precision": "str",
    "threads": "Int64",
    "expected": "bool",
    "reason": "str",
    "notes": "str",
}
"""Column to pandas dtype, in the order of the frame; metrics have a column each, named `metric.` and the metric's name.

What is worth knowing beyond the name:

- `backbone` is empty for a strategy that looks through none; `variant` says in what cells of the same task, backbone
  and strategy differ, and is empty where there is one alone.
- `status` is a record's, or "pending" for an expected cell that has none yet. What is neither ok nor pending has a rank
  behind all that is ok; what is pending has none.
- `ranked_by` is "paired test" or "intervals" (predictions missing, or of other examples).
- `metric_label` is the metric's name in headings; `in_points` says whether it is a share of 1, which tables show in
  hundredths, and `metric_worst` what a failure counts as in a mean over tasks, where there is one.
- `value` is the primary `metric` on the test split, averaged over seeds; `low` and `high` are the ends of the 95%
  intervals over examples, averaged over seeds; `seed_std` (of a sample), `seed_min`, `seed_max` are their spread.
- `gain` is by how much `value` is better than that of `from-scratch` on the same task and backbone, in points
  (hundredths), or in the metric's own unit where that is no share of 1.
- `n` is the number of test examples; `trials` how many settings were tried; `searched` says whether they differed.
- `encode_seconds` is the standalone cost; `host_added_bytes` is the peak above the worker's memory when the cell began.
- `energy_joules` is what all processor packages took while the cell ran: other workers' share is in it, a GPU's is not.
- `overlap` is the number of test examples that show exactly what an example of train or validation shows.
- `notes` says in what a row's provenance differs from most of the table, and whether some of its fits were made with
  something else than the others ("in part ..."), separated by "; ".
"""

SHOWN = ("accuracy", "f1", "f1_macro")
"""Metrics that have a column in every frame, since tables show them beside the primary one."""
METRIC = "metric."
"""What the column of a metric begins with, so that none has the name of another column."""
OK = "ok"
PENDING = "pending"


def metric_column(metric: str) -> str:
    """Returns the name of a metric's column."""
    return f"{METRIC}{metric}"


def with_metrics(metrics: Iterable[str]) -> dict[str, str]:
    """Returns the columns of a frame whose cells have scores in these metrics."""
    found = {*metrics, *SHOWN}
    ordered = [*(name for name in METRICS if name in found), *sorted(found - METRICS.keys())]
    columns: dict[str, str] = {}
    for name, dtype in COLUMNS.items():
        if name == metric_column(SHOWN[0]):
            columns |= dict.fromkeys(map(metric_column, ordered), "float64")
        elif not name.startswith(METRIC):
            columns[name] = dtype
    return columns


def columns_of(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Returns the columns of a frame as lists of plain values, with None for what is missing."""
    return {str(name): _values(column) for name, column in table.items()}


def rows_of(table: pd.DataFrame) -> list[Row]:
    """Returns the rows of a frame as dictionaries of plain values, with None for what is missing."""
    return as_rows(columns_of(table))


def as_rows(columns: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Returns the rows of columns of equal length."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _values(column: pd.Series[Any]) -> list[Any]:
    values: list[Any] = column.tolist()
    for place in column.isna().to_numpy().nonzero()[0].tolist():
        values[place] = None
    return values
