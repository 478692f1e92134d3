"""Ranks a table by another metric than the primary one, using the recorded scores and intervals of that metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from tlbench.catalog.names import nearest
from tlbench.contracts.errors import UsageError
from tlbench.results.columns import OK
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import CellSummary, Summaries


def ranked_by(
    store: Store, summaries: Summaries, metric: str, unreadable: Callable[[Unreadable], None]
) -> tuple[Summaries, Mapping[str, int]]:
    """Returns summaries with `metric` as the primary one, and the number of cells that were left out of each task.

    Left out are finished cells without a score in the metric, and all cells of tasks in which no cell has such a score.
    In other tasks, failed and pending cells are kept.

    Args:
        store: The folder of records, which are read again: a summary has intervals of the primary metric alone.
        summaries: The cells to rank.
        metric: Name of the metric.
        unreadable: Called with each record that cannot be read.

    Raises:
        UsageError: No record has the metric.
    """
    keys = {key for key, names in summaries.metrics.items() if metric in names}
    tasks = {summary.task for summary in summaries.cells if summary.metrics_key in keys}
    if not tasks:
        used = {summary.metrics_key for summary in summaries.cells}
        known = {name for key in used for name in summaries.metrics.get(key, ())}
        raise UsageError(f"--metric {metric}: no record here has it{nearest(metric, known)}")
    changed = summaries.subset(())
    left_out: Counter[str] = Counter()
    for summary in summaries.cells:
        if summary.task not in tasks or (summary.status == OK and summary.metrics_key not in keys):
            left_out[summary.task] += 1
        elif summary.status != OK:
            changed.cells.append(summary)
        else:
            _add(store, changed, summary, metric, unreadable)
    return changed, left_out


def _add(
    store: Store, summaries: Summaries, summary: CellSummary, metric: str, unreadable: Callable[[Unreadable], None]
) -> None:
    record = store.read(summary.file)
    if isinstance(record, Unreadable):
        unreadable(record)
    else:
        others = tuple(name for name in record.metrics if name != metric)
        summaries.add(msgspec.structs.replace(record, metrics=(metric, *others)), summary.cell)
