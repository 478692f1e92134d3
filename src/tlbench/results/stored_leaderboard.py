"""The table of a folder's records, ranked by their stored predictions; ranks are kept in the folder's index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tlbench.contracts.metric import Metric
from tlbench.contracts.untrusted.visible_text import printable
from tlbench.metrics import METRICS
from tlbench.results.index import Index
from tlbench.results.leaderboard import Table, comparable_groups
from tlbench.results.parallel_ranks import ParallelRanks, Tested
from tlbench.results.ranking import Place, by_intervals, by_predictions
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import CellSummary, Summaries
from tlbench.results.significance.margins import Margins

if TYPE_CHECKING:
    from tlbench.results.stats import CellPredictions


def parallel_ranks(store: Store) -> ParallelRanks:
    """Returns what ranks groups of summaries by their predictions in the store, in several processes; a context."""
    return ParallelRanks(_by_predictions(store))


def stored_leaderboard(
    index: Index,
    summaries: Summaries,
    planned: Sequence[str],
    ranks: ParallelRanks,
    complain: Callable[[str], None],
    margins: Margins = Margins(),  # noqa: B008 - frozen
) -> Table:
    """Returns the leaderboard of summaries, with ranks from the index where it has them.

    Args:
        index: The index of the folder.
        summaries: The cells of the table.
        planned: Ids of the planned cells; none if all records are shown.
        ranks: What ranks a group that the index does not have.
        complain: Called with a line for each file of predictions that cannot be read.
        margins: The margins of equivalence, by metric.
    """
    metrics = metrics_of(summaries)
    groups = comparable_groups(summaries, metrics)
    ranks.announce([group for group in groups if _is_tested(group[1]) and not index.has_ranks(*group)])

    def compute(metric: Metric, group: Sequence[CellSummary]) -> list[Place]:
        places, complaints = ranks(metric, group)
        for complaint in complaints:
            complain(complaint)
            # Ranks that had problems are computed again next time.
            index.skip_cache()
        return places

    cached = index.cached(compute)

    def ranked(metric: Metric, group: Sequence[CellSummary]) -> list[Place]:
        return cached(metric, group) if _is_tested(group) else by_intervals(metric, group)

    return Table(summaries, planned, ranked, metrics, margins)


def metrics_of(summaries: Summaries) -> Mapping[str, Metric]:
    """Returns all metrics by name; plugins are discovered only if a cell's metric is not one of tlbench's own."""
    if {summary.metric for summary in summaries.cells if summary.metric} <= METRICS.keys():
        return METRICS
    from tlbench.catalog.catalog import Catalog

    return Catalog.discover().metrics


def _is_tested(summaries: Sequence[CellSummary]) -> bool:
    return any(summary.predictions for summary in summaries)


def _by_predictions(store: Store) -> Callable[[Metric, Sequence[CellSummary]], Tested]:
    # The result runs in forked processes, so it returns complaints instead of printing them.
    def ranked(metric: Metric, summaries: Sequence[CellSummary]) -> Tested:
        complaints: list[str] = []

        def predictions_of(summary: CellSummary) -> CellPredictions | None:
            if not summary.predictions:
                return None
            from tlbench.results.records.stored_predictions import read_predictions

            path = store.predictions(summary)
            try:
                return None if path is None else read_predictions(path, metric.reads_scores, summary.predictions_digest)
            except (OSError, ValueError) as error:  # for a damaged file, pyarrow raises a ValueError
                complaints.append(printable(f"tlbench: {path} cannot be read: {error}"))
                return None

        def complain(text: str) -> None:
            complaints.append(printable(f"tlbench: {text}"))

        return by_predictions(metric, summaries, predictions_of, complain), complaints

    return ranked
