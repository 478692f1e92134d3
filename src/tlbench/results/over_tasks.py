"""Averages a leaderboard over its tasks: one row for each backbone and strategy. No I/O."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tlbench.results.averages.mean_ranks import Key, MeanRank, MeanRanks, mean_ranks
from tlbench.results.averages.scales import TaskCell, TaskScale, scales
from tlbench.results.averages.task_groups import task_groups
from tlbench.results.columns import OK, PENDING, Row, columns_of

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "backbone": "str",
    "strategy": "str",
    "variant": "str",
    "mean": "float64",
    "low": "float64",
    "high": "float64",
    "rank": "Int64",
    "rank_last": "Int64",
    "ranked_by": "str",
    "mean_rank": "float64",
    "wins": "Int64",
    "tasks": "Int64",
    "tasks_total": "Int64",
    "failed": "Int64",
    "at_floor": "Int64",
    "encode_seconds": "float64",
    "fit_seconds": "float64",
    "total_seconds": "float64",
}


KEY = ("backbone", "strategy", "variant")
"""The columns that tell rows of the summary apart."""
NEEDED = TaskCell._fields[:-1]
"""The columns of a leaderboard that `summary` and `averages` read."""


@dataclass(frozen=True)
class Averages:
    """A leaderboard averaged over its tasks."""

    rows: list[Row]
    """The rows of `summary`."""
    scales: Mapping[str, TaskScale]
    """The scale of each task that is averaged."""
    left_out: tuple[str, ...]
    """Tasks with scores that are not averaged, since their metric or floor determines no scale."""
    ranks: MeanRanks
    tasks: tuple[str, ...]
    """All tasks, in order of appearance."""

    def shown(self, columns: Mapping[str, Sequence[Any]]) -> Averages:
        """Returns these averages with only the rows whose `KEY` is in the columns; means and ranks do not change."""
        keys = {*zip(*(columns[name] for name in KEY), strict=True)}
        return replace(self, rows=[row for row in self.rows if tuple(row[name] for name in KEY) in keys])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Returns one row for each backbone, strategy and variant, best first.

    A row that covers all tasks comes before one that does not, since means over different tasks cannot be compared.

    Columns:
        backbone, strategy, variant: As in the leaderboard.
        mean: The score on the common scale of tasks (`averages/scales.py`), from 0 for the floor to 1 for the metric's
            best value, averaged over the tasks that were run and have a scale. A failed cell counts as 0.
        low, high: Ends of the 95% interval of the expected mean, over test examples and seeds. Intervals and ranks need
            predictions, so they are missing unless the summary is made from a `Table`, as for a page.
        rank, rank_last: 1 + the number of rows whose mean is significantly better, and the last rank that the data
            allow. Rows that miss a task, and rows with one seed on a task, have neither.
        ranked_by: "paired test" for a row with a rank, "one seed" for one with one seed on a task, else empty.
        mean_rank: The rank averaged over the tasks that were run; a failed cell counts as the rank behind all others.
        wins: Number of tasks on which the row alone ranks first.
        tasks: Number of tasks with a score.
        tasks_total: Number of tasks of the leaderboard.
        failed: Number of tasks without a score because the cell failed.
        at_floor: Number of tasks on which the fits of all seeds stay at the floor; their scores count in the mean.
        encode_seconds: Sum over tasks of the time for encoding, even where the activations came from another cell.
        fit_seconds, total_seconds: Sums of the leaderboard's columns over tasks.
    """
    import pandas as pd

    rows = averages(columns_of(table[list(NEEDED)])).rows
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def averages(columns: Mapping[str, Sequence[Any]]) -> Averages:
    """Returns a leaderboard averaged over tasks, computed from its `NEEDED` columns without pandas.

    Ranks and intervals also need the column `variance` of a `Table`.
    """
    names = [*NEEDED, "variance"] if "variance" in columns else NEEDED
    cells = [TaskCell(*values) for values in zip(*(columns[name] for name in names), strict=True)]
    groups: dict[Key, list[TaskCell]] = defaultdict(list)
    for cell in cells:
        # A pending cell does not count in means.
        if cell.status != PENDING:
            groups[cell.backbone, cell.strategy, cell.variant].append(cell)
        else:
            groups[cell.backbone, cell.strategy, cell.variant]
    total = len({cell.task for cell in cells})
    found = scales(cells)
    ranks = mean_ranks(groups, found)
    scored = Counter(cell.task for cell in cells if cell.status == OK)
    firsts = Counter(cell.task for cell in cells if cell.rank == 1)
    rows = [
        dict(zip(KEY, key, strict=True))
        | ranks.of.get(key, MeanRank())._asdict()
        | {**_sum(part, found, scored, firsts), "tasks_total": total}
        for key, part in sorted(groups.items())
    ]
    rows.sort(key=_sort_key)
    tasks = tuple(dict.fromkeys(cell.task for cell in cells))
    return Averages(rows, found, tuple(sorted(scored.keys() - found.keys())), ranks, tasks)


def grouped_averages(columns: Mapping[str, Sequence[Any]]) -> tuple[Averages, ...]:
    """Returns `averages` for each group of tasks that share backbones (`averages/task_groups.py`), in their order."""
    groups = task_groups(columns["task"], columns["backbone"])
    if len(groups) < 2:
        return (averages(columns),)
    places: dict[str, list[int]] = defaultdict(list)
    for place, task in enumerate(columns["task"]):
        places[task].append(place)
    found = []
    for group in groups:
        # In the order of the table, as for a table of one group.
        chosen = sorted(place for task in group for place in places[task])
        found.append(averages({name: [values[place] for place in chosen] for name, values in columns.items()}))
    return tuple(found)


def _sort_key(row: Row) -> tuple[float, float, float]:
    """Returns a key that sorts by number of tasks run, then by mean, then by rank, best first."""
    mean = -row["mean"] if row["mean"] is not None else 0.0
    return -row["tasks"] - row["failed"], mean, row["mean_rank"] if row["mean_rank"] is not None else math.inf


def _sum(
    recorded: list[TaskCell],
    scales: Mapping[str, TaskScale],
    scored_cells: Mapping[str, int],
    firsts: Mapping[str, int],
) -> Row:
    """Returns the summary row of the cells of one backbone and strategy, without names, ranks and interval.

    Args:
        recorded: Cells of one backbone and strategy that have a record.
        scales: The scale of each task that is averaged.
        scored_cells: For each task, the number of cells with a score.
        firsts: For each task, the number of cells that rank first.
    """
    done = [cell for cell in recorded if cell.status == OK]
    shares = [share for cell in recorded if (share := _share(cell, scales.get(cell.task))) is not None]
    # A failed cell has no rank. Leaving it out of the mean would favour a method that fails where it would rank low.
    ranks = [cell.rank if cell.status == OK else scored_cells[cell.task] + 1 for cell in recorded]
    known_ranks = [rank for rank in ranks if rank is not None]
    return {
        "mean": statistics.fmean(shares) if shares else None,
        "mean_rank": statistics.fmean(known_ranks) if known_ranks else None,
        "wins": sum(cell.rank == 1 and firsts[cell.task] == 1 for cell in done),
        "tasks": len({cell.task for cell in done}),
        "failed": len(recorded) - len(done),
        "at_floor": sum(bool(cell.at_floor) and cell.at_floor == cell.seeds for cell in done),
        "encode_seconds": sum(cell.encode_seconds for cell in done),
        "fit_seconds": sum(cell.fit_seconds for cell in done),
        # A failed cell took its time too.
        "total_seconds": sum(cell.total_seconds for cell in recorded),
    }


def _share(cell: TaskCell, scale: TaskScale | None) -> float | None:
    """Returns a cell's score on the common scale; None if it has none."""
    if scale is None:
        return None
    # Leaving failures out of the mean would favour a method that fails where others score low.
    if cell.status != OK:
        return 0.0
    return None if cell.value is None or cell.metric != scale.metric else scale.share(cell.value)
