"""Averages a leaderboard over its tasks: one row for each backbone and strategy. No I/O."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tlbench.results.columns import OK, PENDING, Row, columns_of

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
    "at_floor": "Int64",
    "encode_seconds": "float64",
    "fit_seconds": "float64",
    "total_seconds": "float64",
}


class _Cell(NamedTuple):
    """The values of one leaderboard row from which averages over tasks are computed."""

    task: str
    backbone: str
    strategy: str
    variant: str
    status: str
    rank: int | None
    metric: str
    greater_is_better: bool
    in_points: bool
    metric_worst: float | None
    value: float | None
    encode_seconds: float
    fit_seconds: float
    total_seconds: float
    at_floor: int | None
    seeds: int


NEEDED = _Cell._fields
"""The columns of a leaderboard that `summary` and `summed` read."""


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Returns one row for each backbone, strategy and variant, best first.

    A row that covers all tasks comes before one that does not, since means over different tasks cannot be compared.

    Columns:
        backbone, strategy, variant: As in the leaderboard.
        mean: The primary metric averaged over the tasks that were run, except tasks whose metric is not a fraction of
            1 or is better when lower. A failed cell counts as the metric's worst value.
        rank: The rank averaged over the tasks that were run; a failed cell counts as the rank behind all others.
        wins: Number of tasks on which the row alone ranks first.
        tasks: Number of tasks with a score.
        tasks_total: Number of tasks of the leaderboard.
        failed: Number of tasks without a score because the cell failed.
        at_floor: Number of tasks on which the fits of all seeds stay at the floor; their scores count in the mean.
        encode_seconds: Sum over tasks of the time for encoding, even where the activations came from another cell.
        fit_seconds, total_seconds: Sums of the leaderboard's columns over tasks.
    """
    import pandas as pd

    return pd.DataFrame(summed(columns_of(table[list(NEEDED)])), columns=list(_COLUMNS)).astype(_COLUMNS)


def summed(columns: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Returns the rows of `summary`, computed from the `NEEDED` columns of a leaderboard, without pandas."""
    cells = [_Cell(*values) for values in zip(*(columns[name] for name in NEEDED), strict=True)]
    groups: dict[tuple[str, str, str], list[_Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.backbone, cell.strategy, cell.variant].append(cell)
    total = len({cell.task for cell in cells})
    # A failed cell may have no metric on record. It takes that of another cell of its task, so that it counts in the
    # mean exactly if that task does.
    metrics = {cell.task: cell for cell in cells if cell.metric}
    scored = Counter(cell.task for cell in cells if cell.status == OK)
    firsts = Counter(cell.task for cell in cells if cell.rank == 1)
    rows = [
        dict(zip(("backbone", "strategy", "variant"), names, strict=True))
        | {**_sum(part, metrics, scored, firsts), "tasks_total": total}
        for names, part in sorted(groups.items())
    ]
    rows.sort(key=_sort_key)
    return rows


def _sort_key(row: Row) -> tuple[float, float, float]:
    """Returns a key that sorts by number of tasks run, then by mean, then by rank, best first."""
    mean = -row["mean"] if row["mean"] is not None else 0.0
    return -row["tasks"] - row["failed"], mean, row["rank"] if row["rank"] is not None else math.inf


def _sum(
    cells: list[_Cell], metrics: Mapping[str, _Cell], scored_cells: Mapping[str, int], firsts: Mapping[str, int]
) -> Row:
    """Returns the summary row of the cells of one backbone and strategy, without the columns with their names.

    Args:
        cells: Cells of one backbone and strategy.
        metrics: For each task, a cell with the task's metric.
        scored_cells: Number of cells with a score of each task.
        firsts: Number of cells that rank first on each task.
    """
    recorded = [cell for cell in cells if cell.status != PENDING]
    done = [cell for cell in recorded if cell.status == OK]
    scored = [(cell.value, metrics.get(cell.task, cell)) for cell in recorded]
    # Log loss has no upper bound and calibration error is better when lower: neither can be averaged with accuracies.
    values = [_value_or_worst(value, of) for value, of in scored if of.greater_is_better and of.in_points]
    averaged = [value for value in values if value is not None]
    # A failed cell has no rank. Leaving it out of the mean would favour a method that fails where it would rank low.
    ranks = [cell.rank if cell.status == OK else scored_cells[cell.task] + 1 for cell in recorded]
    known_ranks = [rank for rank in ranks if rank is not None]
    return {
        "mean": statistics.fmean(averaged) if averaged else None,
        "rank": statistics.fmean(known_ranks) if known_ranks else None,
        "wins": sum(cell.rank == 1 and firsts[cell.task] == 1 for cell in done),
        "tasks": len({cell.task for cell in done}),
        "failed": len(recorded) - len(done),
        "at_floor": sum(bool(cell.at_floor) and cell.at_floor == cell.seeds for cell in done),
        "encode_seconds": sum(cell.encode_seconds for cell in done),
        "fit_seconds": sum(cell.fit_seconds for cell in done),
        # A failed cell took its time too.
        "total_seconds": sum(cell.total_seconds for cell in recorded),
    }


def _value_or_worst(value: float | None, metric: _Cell) -> float | None:
    # Leaving failures out of the mean would favour a method that fails where others score low.
    result = metric.metric_worst if value is None else value
    return None if result is None else float(result)
