"""One row for each backbone and strategy over all tasks of a leaderboard. Pure."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tlbench.results.columns import OK, PENDING, Row, rows_of

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "backbone": "str",
    "strategy": "str",
    "variant": "str",
    "mean": "float64",
    "rank": "float64",
    "wins": "Int64",
    "tasks": "Int64",
    "tasks_total": "Int64",
    "failed": "Int64",
    "encode_seconds": "float64",
    "fit_seconds": "float64",
    "total_seconds": "float64",
}

NEEDED = (
    "task", "backbone", "strategy", "variant", "status", "rank", "metric", "greater_is_better", "in_points",
    "metric_worst", "value", "encode_seconds", "fit_seconds", "total_seconds",
)  # fmt: skip
"""The columns of a leaderboard's frame that a summary takes."""


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Returns one row for each backbone and strategy, best first.

    Columns: backbone, strategy, variant; `mean`, the primary metric averaged over the tasks that were run and have one
    that is a share of 1 of which more is better, where what failed counts as knowing nothing; `rank`, averaged over all
    that were run, with failures behind all others; `wins`, on how many tasks nothing ranks higher (ties count); `tasks`
    with a score, of `tasks_total`; `failed`; `encode_seconds` (standalone: what the fits read, whoever computed it),
    `fit_seconds` and `total_seconds`, summed. Entries that were not run on all tasks stand behind those that were:
    means over different tasks cannot be compared.
    """
    import pandas as pd

    return pd.DataFrame(summed(rows_of(table[list(NEEDED)])), columns=list(_COLUMNS)).astype(_COLUMNS)


def summed(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows of a summary of rows that have the columns in `NEEDED`."""
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["backbone"], row["strategy"], row["variant"]].append(row)
    total = len({row["task"] for row in rows})
    # What failed does not say by which metric it would have been ranked: another row of its task does.
    metrics = {row["task"]: row for row in rows if row["metric"]}
    made = [
        {"backbone": backbone, "strategy": strategy, "variant": variant, **_sum(part, metrics), "tasks_total": total}
        for (backbone, strategy, variant), part in sorted(groups.items())
    ]
    made.sort(key=_goodness)
    return made


def _goodness(row: Row) -> tuple[float, float, float]:
    mean = -row["mean"] if row["mean"] is not None else 0.0
    return -row["tasks"] - row["failed"], mean, row["rank"] if row["rank"] is not None else math.inf


def _sum(rows: list[Row], metrics: Mapping[str, Row]) -> Row:
    recorded = [row for row in rows if row["status"] != PENDING]
    done = [row for row in recorded if row["status"] == OK]
    known = [(row["value"], metrics.get(row["task"], row)) for row in recorded]
    values = [_value(value, of) for value, of in known if of["greater_is_better"] and of["in_points"]]
    averaged = [value for value in values if value is not None]
    ranks = [row["rank"] for row in recorded if row["rank"] is not None]
    return {
        "mean": statistics.fmean(averaged) if averaged else None,
        "rank": statistics.fmean(ranks) if ranks else None,
        "wins": sum(row["rank"] == 1 for row in done),
        "tasks": len({row["task"] for row in done}),
        "failed": len(recorded) - len(done),
        "encode_seconds": sum(row["encode_seconds"] for row in done),
        "fit_seconds": sum(row["fit_seconds"] for row in done),
        "total_seconds": sum(row["total_seconds"] for row in recorded),
    }


def _value(value: float | None, metric: Row) -> float | None:
    found = metric["metric_worst"] if value is None else value
    return None if found is None else float(found)
