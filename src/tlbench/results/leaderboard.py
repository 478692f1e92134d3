"""Turns summaries of records into a leaderboard: one row for each cell, ranked within its task. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import copy
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from tlbench.contracts.cell import Cell, Protocol
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Provenance, Record
from tlbench.metrics import METRICS
from tlbench.results.columns import METRIC, OK, ONE_FIT, PENDING, STRATEGY, Row, as_rows, as_series, with_metrics
from tlbench.results.content_labels.one_label import with_one_label
from tlbench.results.gains.gain import NO_GAIN, gain_columns, gains
from tlbench.results.label_efficiency.task_amounts import task_names
from tlbench.results.metric_columns import expected_cells, metric_columns
from tlbench.results.notes.row_notes import notes_of_rows
from tlbench.results.over_tasks import KEY, NEEDED, Averages, grouped_averages
from tlbench.results.ranking import NOWHERE, Place, Ranked, by_intervals, by_predictions, goodness, places
from tlbench.results.records.summaries import CellSummary, Summaries, summaries_of
from tlbench.results.selection.optimism import optimism_column
from tlbench.results.significance.margins import Margins, equality_columns
from tlbench.results.variants import variants_of

if TYPE_CHECKING:
    import pandas as pd

    from tlbench.results.stats import CellPredictions

# Columns that are the same for all cells of a protocol or a machine: computed once for each of those.
_PROTOCOL_COLUMNS: dict[str, Callable[[Protocol], Any]] = {
    "seeds_planned": lambda protocol: len(protocol.seeds),
    "max_steps": lambda protocol: protocol.max_steps,
    "epochs": lambda protocol: protocol.epochs,
    "train_limit": lambda protocol: protocol.train_limit,
    "train_fraction": lambda protocol: protocol.amount.fraction,
    "shots": lambda protocol: protocol.shots,
    "folds": lambda protocol: protocol.folds,
    "final": lambda protocol: protocol.final,
}
_PROVENANCE_COLUMNS: dict[str, Callable[[Provenance], Any]] = {
    "device": lambda provenance: provenance.device,
    "precision": lambda provenance: provenance.precision,
    "threads": lambda provenance: provenance.threads or None,
}

StoredPredictions: TypeAlias = "Callable[[Record], pd.DataFrame | None]"
"""Returns the stored predictions of a record, or None if it has none."""


def frame(
    records: Iterable[Record],
    expected: Sequence[Cell] = (),
    predictions: StoredPredictions | None = None,
    metrics: Mapping[str, Metric] = METRICS,
) -> pd.DataFrame:
    """Returns the leaderboard of records, with `COLUMNS`: one row for each cell, best first within each task.

    Args:
        records: Records in any order; only the newest attempt at each cell counts.
        expected: The cells of a plan. Those without a record get a row with the status "pending", and tasks are in the
            order of the plan. If empty, tasks are in alphabetical order.
        predictions: Returns the stored predictions of a record (columns seed, id, target, value), or None. With this
            function, ranks come from paired tests; otherwise, cells with overlapping intervals share a rank.
        metrics: Metrics by name, as for `Table`.
    """
    records = list(records)
    summaries = summaries_of(records)
    planned = {cell.id: cell for cell in expected}
    summaries.add_missing(planned)
    if predictions is None:
        return table(summaries, list(planned), metrics=metrics)
    by_attempt = {(record.cell.id, record.attempt): record for record in records}

    def predictions_of(summary: CellSummary) -> CellPredictions | None:
        from tlbench.results.records.stored_predictions import predictions_in

        stored = predictions(by_attempt[summary.cell, summary.attempt])
        return None if stored is None else predictions_in({str(k): column.to_numpy() for k, column in stored.items()})

    return table(summaries, list(planned), lambda metric, group: by_predictions(metric, group, predictions_of), metrics)


def table(
    summaries: Summaries,
    planned: Sequence[str] = (),
    ranked: Ranked = by_intervals,
    metrics: Mapping[str, Metric] = METRICS,
) -> pd.DataFrame:
    """Returns the leaderboard of summaries as a frame with all columns; the arguments are those of `Table`."""
    return Table(summaries, planned, ranked, metrics).frame()


class Table:
    """A leaderboard: ranks, gains and notes are computed once, other columns on demand.

    Args:
        summaries: One summary for each cell, in order of the cells' ids, with pending cells last.
        planned: The ids of a plan's cells in its order, each with a summary; see `expected` of `frame`.
        ranked: Function that ranks the summaries of one task that have a score in the same metric.
        metrics: Metrics by name: tlbench's own, or those of a catalog, which include the metrics of plugins.
        margins: Differences up to which two rows count as practically equal.
    """

    def __init__(
        self,
        summaries: Summaries,
        planned: Sequence[str] = (),
        ranked: Ranked = by_intervals,
        metrics: Mapping[str, Metric] = METRICS,
        margins: Margins = Margins(),  # noqa: B008 - frozen
    ) -> None:
        summaries = with_one_label(summaries)
        cells = summaries.cells
        tasks = task_names(summaries)
        variants = variants_of(summaries, tasks)
        groups: dict[str, list[int]] = defaultdict(list)
        for i, task in enumerate(tasks):
            groups[task].append(i)
        conditions = _conditions(summaries)
        all_gains = [NO_GAIN] * len(cells)
        all_places = [NOWHERE] * len(cells)
        # Columns are kept in the order of the summaries, and put into that of the table when they are read.
        order: list[int] = []
        for task in _task_order(summaries, tasks, planned):
            group = [cells[i] for i in groups[task]]
            group_places = places(group, ranked, metrics)
            group_gains = gains(group, metrics, conditions, group_places)
            for i, gain, place in zip(groups[task], group_gains, group_places, strict=True):
                all_gains[i], all_places[i] = gain, place
            # Rows with equal scores are sorted by their names, so that the order of the records changes nothing.
            keys = [
                (*goodness(one, metrics), one.backbone, one.strategy, variants[i], one.cell, i)
                for one, i in zip(group, groups[task], strict=True)
            ]
            order += [key[-1] for key in sorted(keys)]
        self._summaries, self._order, self._whole = summaries, order, order
        self._added: dict[str, str] = {}
        self._in_order: dict[str, Sequence[Any]] = {}
        self._computed: dict[str, Sequence[Any]] = {
            "task": tasks,
            "variant": variants,
            **gain_columns(all_gains),
            "notes": notes_of_rows(summaries, tasks),
            "expected": expected_cells(cells, planned),
            **_place_columns(cells, all_places),
            **equality_columns(
                [one.metric for one in cells],
                [place.from_best for place in all_places],
                [place.detectable for place in all_places],
                margins.by_metric(metrics),
            ),
            **metric_columns([one.metric for one in cells], metrics),
        }

    def frame(self) -> pd.DataFrame:
        """Returns all columns of all rows, best first within each task."""
        import pandas as pd

        dtypes = self._dtypes()
        columns = {name: as_series(values, dtypes[name]) for name, values in self._columns(dtypes).items()}
        # Built in the order of the summaries and reordered once: far faster than reordering each column's list.
        return pd.DataFrame(columns).take(self._order).reset_index(drop=True)

    def rows(self, columns: Iterable[str] | None = None, places: Sequence[int] | None = None) -> list[Row]:
        """Returns rows as dictionaries, in the order of the frame, without importing pandas.

        Args:
            columns: Names of the columns; all if None.
            places: Row numbers in the frame; all if None.
        """
        chosen = self._order if places is None else [self._order[place] for place in places]
        return as_rows(self._columns(self._dtypes() if columns is None else columns, chosen))

    @property
    def metrics(self) -> set[str]:
        """Names of the metrics in which a cell has a score."""
        return {name for names in self._summaries.metrics.values() for name in names}

    def columns(self, names: Iterable[str]) -> dict[str, Sequence[Any]]:
        """Returns these columns of all rows, in the order of the frame, without importing pandas."""
        names = tuple(names)
        # Kept: a page reads most columns several times, and large columns are slow to put in order.
        added = self._columns([name for name in names if name not in self._in_order])
        if len(self._order) > 1:
            in_order = itemgetter(*self._order)
            self._in_order |= {name: list(in_order(values)) for name, values in added.items()}
        else:
            self._in_order |= {name: [values[i] for i in self._order] for name, values in added.items()}
        return {name: self._in_order[name] for name in names}

    def averages(self) -> tuple[Averages, ...]:
        """Returns the averages over each group of tasks of these rows, as they were before any row was hidden."""
        whole = self if self._order is self._whole else self._with_order(self._whole)
        shown = self.columns(KEY)
        return tuple(one.shown(shown) for one in grouped_averages(whole.columns((*NEEDED, "variance"))))

    def pick(self, places: Iterable[int]) -> Table:
        """Returns a table of some rows (by their numbers in the frame) in this order; ranks and notes stay."""
        return self._with_order([self._order[place] for place in places])

    def with_rows(self, added: Summaries, computed: Sequence[Row], places: Sequence[int]) -> Table:
        """Returns a table with further rows, which do not count in means over tasks.

        Args:
            added: The summaries of the rows.
            computed: For each of them, the columns that summaries do not have, by name.
            places: For each of them, the row of the frame before which it is inserted.
        """
        wider, count = self._with_order(list(self._order)), len(self._summaries.cells)
        wider._summaries = self._summaries.subset(self._summaries.cells)
        wider._summaries.extend(added)
        wider._computed = {name: [*all_, *(row.get(name) for row in computed)] for name, all_ in self._computed.items()}
        # The last row is inserted first, so that the places of the others stay valid.
        for place, number in sorted(zip(places, range(count, count + len(computed)), strict=True), reverse=True):
            wider._order.insert(place, number)
        return wider

    def with_columns(self, columns: Mapping[str, Sequence[float | None]]) -> Table:
        """Returns a table with further columns of numbers, whose values are in the order of the frame."""
        wider = self._with_order(self._order)
        wider._added = {**self._added, **dict.fromkeys(columns, "float64")}
        wider._computed = dict(self._computed)
        for name, values in columns.items():
            by_place = dict(zip(self._order, values, strict=True))
            wider._computed[name] = [by_place.get(place) for place in range(len(self._summaries.cells))]
        return wider

    def _with_order(self, order: list[int]) -> Table:
        """Returns a copy with the summaries at these positions."""
        other = copy(self)
        other._order, other._in_order = order, {}
        return other

    def _dtypes(self) -> dict[str, str]:
        """Returns the pandas dtype of each column, by name, in the order of the frame."""
        return with_metrics(self.metrics) | self._added

    def _columns(self, names: Iterable[str], chosen: Sequence[int] | None = None) -> dict[str, Sequence[Any]]:
        """Returns columns by name, of the summaries at the `chosen` positions or, if None, of all summaries."""
        cells, computed = self._summaries.cells, self._computed
        if chosen is not None:
            names = tuple(names)
            cells = [cells[i] for i in chosen]
            computed = {name: [computed[name][i] for i in chosen] for name in names if name in computed}
        return {
            name: computed.get(name) or self._shared(name, cells) or list(map(attrgetter(name), cells))
            for name in names
        }

    def _shared(self, name: str, cells: Sequence[CellSummary]) -> list[Any] | None:
        """Returns a column of scores, or one computed from only the protocol or provenance; None for other columns."""
        if name.startswith(METRIC):
            return self._summaries.scores(name.removeprefix(METRIC), cells)
        if name.startswith("optimism"):
            return optimism_column(name, [one.selection for one in cells])
        if name in _PROTOCOL_COLUMNS:
            values = {
                key: _PROTOCOL_COLUMNS[name](setting.protocol) for key, setting in self._summaries.settings.items()
            }
            return [values[one.setting_key] for one in cells]
        if name in _PROVENANCE_COLUMNS:
            of = _PROVENANCE_COLUMNS[name]
            known = {key: of(provenance) for key, provenance in self._summaries.provenances.items()}
            empty = of(Provenance())  # of a pending cell
            return [known.get(one.provenance_key, empty) for one in cells]
        return None


def comparable_groups(
    summaries: Summaries, metrics: Mapping[str, Metric] = METRICS
) -> list[tuple[Metric, list[CellSummary]]]:
    """Returns the groups that a table ranks: each is a metric and the summaries of one task with a score in it."""
    groups: dict[tuple[str, str], list[CellSummary]] = defaultdict(list)
    for summary, task in zip(summaries.cells, task_names(summaries), strict=True):
        if summary.status == OK:
            groups[task, summary.metric].append(summary)
    return [(metrics[name], group) for (_, name), group in groups.items() if name in metrics]


def progress(table: pd.DataFrame) -> tuple[int, int]:
    """Returns how many of the expected cells have a record, and how many are expected."""
    expected = table[table["expected"]]
    return int((expected["status"] != PENDING).sum()), len(expected)


def _place_columns(cells: Sequence[CellSummary], all_places: Sequence[Place]) -> dict[str, list[Any]]:
    """Returns the columns of ranks and intervals; the recorded interval of one fit where there is no other."""
    pairs = list(zip(cells, all_places, strict=True))
    return {
        "rank": [place.rank for place in all_places],
        "rank_last": [place.rank_last for place in all_places],
        "ranked_by": [place.ranked_by for place in all_places],
        "variance": [place.variance for place in all_places],
        "low": [one.low if place.low is None else place.low for one, place in pairs],
        "high": [one.high if place.high is None else place.high for one, place in pairs],
        "interval_of": ["" if one.low is None else ONE_FIT if place.low is None else STRATEGY for one, place in pairs],
    }


def _task_order(summaries: Summaries, tasks: Sequence[str], planned: Sequence[str]) -> list[str]:
    if not planned:
        return sorted(set(tasks))
    of = {summary.cell: task for summary, task in zip(summaries.cells, tasks, strict=True)}
    # Tasks of the plan first, then those of records outside it.
    return list(dict.fromkeys([*(of[cell] for cell in planned), *tasks]))


def _conditions(summaries: Summaries) -> Callable[[CellSummary], Hashable]:
    """Returns a function from a cell to a key of its training examples and test split; a gain requires equal keys."""
    trained_on = {
        key: (setting.protocol.train_limit, setting.protocol.final) for key, setting in summaries.settings.items()
    }
    tests = {key: provenance.data.get("test", "") for key, provenance in summaries.provenances.items()}
    return lambda summary: (trained_on[summary.setting_key], tests.get(summary.provenance_key, ""))
