"""The columns of a leaderboard: their order, dtypes and meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from tlbench.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

Row: TypeAlias = dict[str, Any]
"""One row of a table: values by column name, None where a value is missing."""

COLUMNS: dict[str, str] = {
    "cell": "str",
    "task": "str",
    "backbone": "str",
    "strategy": "str",
    "variant": "str",
    "status": "str",
    "rank": "Int64",
    "rank_last": "Int64",
    "ranked_by": "str",
    "metric": "str",
    "metric_label": "str",
    "greater_is_better": "bool",
    "in_points": "bool",
    "metric_worst": "float64",
    "metric_best": "float64",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "interval_of": "str",
    "p_equal": "float64",
    "p_best": "float64",
    "margin": "float64",
    "detectable": "float64",
    "seed_std": "float64",
    "seed_min": "float64",
    "seed_max": "float64",
    "gain": "float64",
    "gain_low": "float64",
    "gain_high": "float64",
    "gain_interval_of": "str",
    "gain_over": "str",
    "n": "Int64",
    "groups": "Int64",
    "group": "str",
    "trials": "Int64",
    "trials_planned": "Int64",
    "searched": "bool",
    "search_budget": "Int64",
    "seeds": "Int64",
    "seeds_planned": "Int64",
    "metric.accuracy": "float64",
    "metric.f1": "float64",
    "metric.f1_macro": "float64",
    "validation": "float64",
    "optimism": "float64",
    "optimism_low": "float64",
    "optimism_high": "float64",
    "setup_seconds": "float64",
    "encode_seconds": "float64",
    "encode_paid_seconds": "float64",
    "fit_seconds": "float64",
    "search_seconds": "float64",
    "predict_seconds": "float64",
    "total_seconds": "float64",
    "host_peak_bytes": "Int64",
    "host_own_bytes": "Int64",
    "device_allocated_bytes": "Int64",
    "device_reserved_bytes": "Int64",
    "energy_joules": "float64",
    "parameters": "Int64",
    "trainable_parameters": "Int64",
    "examples_seen": "Int64",
    "test_reads": "Int64",
    "overlap": "Int64",
    "at_floor": "Int64",
    "max_steps": "Int64",
    "epochs": "float64",
    "train_limit": "Int64",
    "train_examples": "Int64",
    "train_fraction": "float64",
    "shots": "Int64",
    "folds": "Int64",
    "final": "str",
    "device": "str",
    "precision": "str",
    "threads": "Int64",
    "expected": "bool",
    "reason": "str",
    "notes": "str",
}
"""Column name to pandas dtype, in the order of the frame. Each metric has a column named `metric.` and its name.

- `cell` is the id of the cell, of which commands take the first digits; `task` and `strategy` are names. `expected`
  tells whether the cell belongs to the run or suite that the leaderboard is of.
- `backbone` is empty for a strategy without one, such as a majority baseline. `variant` tells how cells of the same
  task, backbone and strategy differ; it is empty if there is only one such cell.
- `status` is the record's status, or "pending" for an expected cell without a record. Only a cell with the status "ok"
  has a rank; rows of failed cells come after those. `reason` says in a line why a cell has no score.
- `rank` is 1 + the number of rows of the task that are significantly better, and `rank_last` is the number of rows
  minus those that are significantly worse: the first and last rank that the data allow. Rows of one seed have neither.
- `ranked_by` is "paired test"; "intervals" if predictions are missing or are for different examples; "one seed"; or
  "ensemble" for an average of other rows, which has no rank.
- `greater_is_better` tells whether higher scores are better. `metric.accuracy`, `metric.f1` and `metric.f1_macro` are
  the scores by these metrics, averaged over seeds, and every other recorded metric has such a column.
- `metric_label` is the metric's name in headings. `in_points` tells whether the metric is a fraction of 1, which tables
  multiply by 100. `metric_worst` and `metric_best` are the ends of its scale, if it has them.
- `value` is the primary `metric` on the test split, averaged over seeds. `low` and `high` are the ends of its 95%
  interval; `interval_of` is "strategy" for an interval of the strategy's expected score, over test examples and seeds,
  and "one fit" for one over test examples alone, as with fewer than three seeds or without predictions.
- `p_equal` is the probability that the row's expected score is within `margin` of that of the best row with a rank; for
  the best row itself it is missing. `p_best` is the p-value of a test of the row and the best row alone, without a
  correction for the other rows. `detectable` is the smallest difference between two rows that the task's tests find
  with a power of 80%; it is missing if no difference could be significant. `margin` and `detectable` are in units of
  the metric; all four are missing without tests.
- `seed_std` (the sample standard deviation, which divides by S - 1 for S seeds), `seed_min` and `seed_max` are the
  spread over seeds.
- `gain` is how much better `value` is than that of the best floor, in points (hundredths), or in the metric's own unit
  if the metric is not a fraction of 1. Floors are strategies without pretrained weights (`floors.py`). Those of a row
  are the ones without a backbone, such as `majority`, and the ones with the row's backbone, such as `from-scratch`, for
  the same task, training data and test split. `gain_over` is the strategy of the best floor. `gain_low` and `gain_high`
  are the ends of the gain's 95% interval, paired over test examples; `gain_interval_of` is "strategy" for an interval
  over seeds too, and "one fit" if the row or the floor has one seed.
- `n` is the number of test examples, and `groups` the number of groups that intervals and tests resample as wholes,
  whole groups. `group` says what a group is, such as "document". `groups` is missing and `group` is empty if each
  example counts as independent.
- `seeds` is the number of final fits with a score, and `seeds_planned` the number that the protocol asks for.
- `trials` is the number of trials; `searched` tells whether their settings
  differed. `trials_planned` is the planned number of trials of a search that a time limit stopped, else missing.
- `search_budget` is the number of trials that the search was allowed, 1 without a search; it is missing for a strategy
  without hyperparameters.
- `optimism` is `validation`, the winner's score at the first seed, minus `value`; `optimism_low` and `optimism_high`
  are the ends of its 95% interval; `results/selection/optimism.py` says what the interval counts.
- `fit_seconds` is the training time of a final fit and `predict_seconds` the time of predicting the test split once,
  both averaged over seeds; `search_seconds` is the time of all fits of the search, and `total_seconds` that from the
  start of the cell to its record. All times are wall-clock seconds.
- `setup_seconds` is the time of what a strategy computes once for all fits, such as training a teacher, whichever fit
  paid for it.
- `encode_seconds` is the time that encoding takes for the cell alone, even if it reused activations of other cells;
  `encode_paid_seconds` is what the cell itself spent on them.
- `host_own_bytes` is the peak of the memory that a fit of the cell held beyond that of a new worker, and
  `host_peak_bytes` the peak of the whole worker process. The first is missing if a worker served several cells.
- `device_allocated_bytes` is the peak of the GPU memory that tensors used, and `device_reserved_bytes` that of what
  torch reserved for them.
- `parameters` is the number of the model's parameters and `trainable_parameters` that of those that were trained.
  `examples_seen` is the number of training examples served to a final fit, repeats counted, averaged over seeds.
- `test_reads` is how often the test split was opened, always after the winner was frozen.
- `max_steps` and `epochs` are the protocol's length of a fit; both are missing where the strategy decides.
- `device`, `precision` and `threads` are what the fits ran on and in.
- `energy_joules` is the energy of all processor packages while the cell ran: it includes other processes and excludes
  the GPU.
- `overlap` is the number of test examples whose inputs are equal to those of an example of train or validation.
- `at_floor` is the number of seeds whose fit cannot be told from a constant answer; missing for floors without a
  backbone, such as `majority`, and for records without this number.
- `train_limit` is the most training examples that the protocol allows, and `train_examples` the number that the final
  fits were given, averaged over seeds; the latter is missing for records that are older than this number.
- `train_fraction` is the share of the training data, and `shots` the number of examples of each class, that fits may
  see; `task` then names the amount, such as "trec (8 shots)", and only rows with equal amounts are compared.
- `folds` is the number of folds of a search with cross-validation, and `final` the splits that the winner was fitted
  on.
- `notes` tells how a row's provenance differs from that of most rows, how the provenance of some of its fits differs
  from that of the others ("in part ..."), whether a time limit stopped its search, whether its fits collapsed, starved
  or stayed at the floor, whether its search budget differs from that of other rows of the task, and which of the task's
  data its backbone was trained on, separated by "; ".
"""

SHOWN = ("accuracy", "f1", "f1_macro")
"""Metrics with a column in every frame, because tables show them beside the primary one."""
METRIC = "metric."
"""Prefix of the columns of metrics, so that no metric can take the name of another column."""
STRATEGY = "strategy"
ONE_FIT = "one fit"
"""Values of the column `interval_of`."""
ENSEMBLE = "ensemble"
"""Value of the column `ranked_by` for an ensemble of the task's rows, which has no rank."""
OK = "ok"
PENDING = "pending"


def metric_column(metric: str) -> str:
    """Returns the column name of a metric."""
    return f"{METRIC}{metric}"


def with_metrics(metrics: Iterable[str]) -> dict[str, str]:
    """Returns `COLUMNS` with a column for each of these metrics: column name to pandas dtype, in order."""
    present = {*metrics, *SHOWN}
    # tlbench's own in their order, then plugins' by name: the columns don't depend on the order of the records.
    ordered = [*(name for name in METRICS if name in present), *sorted(present - METRICS.keys())]
    columns: dict[str, str] = {}
    for name, dtype in COLUMNS.items():
        # All metrics take the place that those of `SHOWN` have in `COLUMNS`.
        if name == metric_column(SHOWN[0]):
            columns |= dict.fromkeys(map(metric_column, ordered), "float64")
        elif not name.startswith(METRIC):
            columns[name] = dtype
    return columns


def columns_of(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Returns the columns of a frame as lists of Python values, with None for missing ones."""
    return {str(name): _values(column) for name, column in table.items()}


def rows_of(table: pd.DataFrame) -> list[Row]:
    """Returns the rows of a frame as dictionaries of Python values, with None for missing ones."""
    return as_rows(columns_of(table))


def as_rows(columns: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Returns columns of equal length as rows."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def as_series(values: Sequence[Any], dtype: str) -> Any:
    """Returns a column as a pandas array or series of this dtype."""
    import numpy as np
    import pandas as pd

    if dtype == "Int64" and None not in values:
        # Faster: pandas takes ten times as long to convert a list of integers of which some may be missing.
        return pd.array(np.asarray(values, dtype=np.int64), dtype="Int64")
    return pd.Series(values, dtype=dtype)


def _values(column: pd.Series[Any]) -> list[Any]:
    values: list[Any] = column.tolist()
    # pandas has NaN, NA and None for missing values; tables know None alone. A stored NaN becomes None as well.
    for position in column.isna().to_numpy().nonzero()[0].tolist():
        values[position] = None
    return values
