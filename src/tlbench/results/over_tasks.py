"""One row for each backbone and strategy over all tasks of a leaderboard. Pure."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
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
    "encode_seconds": "float64",
    "fit_seconds": "float64",
    "total_seconds": "float64",
}


class _Cell(NamedTuple):
    """What a summary takes of one row of a leaderboard's frame."""

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


NEEDED = _Cell._fields
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

    return pd.DataFrame(summed(columns_of(table[list(NEEDED)])), columns=list(_COLUMNS)).astype(_COLUMNS)


def summed(columns: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Returns the rows of a summary of these columns of a leaderboard, which have those in `NEEDED`."""
    cells = [_Cell(*values) for values in zip(*(columns[name] for name in NEEDED), strict=True)]
    groups: dict[tuple[str, str, str], list[_Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.backbone, cell.strategy, cell.variant].append(cell)
    total = len({cell.task for cell in cells})
    # What failed does not say by which metric it would have been ranked: another row of its task does.
    metrics = {cell.task: cell for cell in cells if cell.metric}
    made = [
        {"backbone": backbone, "strategy": strategy, "variant": variant, **_sum(part, metrics), "tasks_total": total}
        for (backbone, strategy, variant), part in sorted(groups.items())
    ]
    made.sort(key=_goodness)
    return made


def _goodness(row: Row) -> tuple[float, float, float]:
    mean = -row["mean"] if row["mean"] is not None else 0.0
    return -row["tasks"] - row["failed"], mean, row["rank"] if row["rank"] is not None else math.inf


def _sum(cells: list[_Cell], metrics: Mapping[str, _Cell]) -> Row:
    recorded = [cell for cell in cells if cell.status != PENDING]
    done = [cell for cell in recorded if cell.status == OK]
    known = [(cell.value, metrics.get(cell.task, cell)) for cell in recorded]
    values = [_value(value, of) for value, of in known if of.greater_is_better and of.in_points]
    averaged = [value for value in values if value is not None]
    ranks = [cell.rank for cell in recorded if cell.rank is not None]
    return {
        "mean": statistics.fmean(averaged) if averaged else None,
        "rank": statistics.fmean(ranks) if ranks else None,
        "wins": sum(cell.rank == 1 for cell in done),
        "tasks": len({cell.task for cell in done}),
        "failed": len(recorded) - len(done),
        "encode_seconds": sum(cell.encode_seconds for cell in done),
        "fit_seconds": sum(cell.fit_seconds for cell in done),
        "total_seconds": sum(cell.total_seconds for cell in recorded),
    }


def _value(value: float | None, metric: _Cell) -> float | None:
    found = metric.metric_worst if value is None else value
    return None if found is None else float(found)
