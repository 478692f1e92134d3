"""Optional columns of a leaderboard that are fitted on validation predictions and computed on test predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from tlbench.contracts.metric import Metric
from tlbench.metrics.resampling import score
from tlbench.metrics.scored import Scored
from tlbench.results.choice.added_columns import CALIBRATION, F1_AT_THRESHOLD, TEMPERATURE, THRESHOLD
from tlbench.results.columns import OK
from tlbench.results.leaderboard import Table
from tlbench.results.post_hoc import calibration as c
from tlbench.results.post_hoc.stored_splits import StoredSplits, UnusableFile, with_seeds
from tlbench.results.post_hoc.thresholds import METRICS_WITH_THRESHOLD, at_threshold, best_threshold, has_threshold
from tlbench.results.records.summaries import CellSummary, Summaries

_MEASURES = {"ece": c.calibration_error, "nll": c.log_loss, "brier": c.brier_score}


def with_post_hoc_columns(
    table: Table,
    names: Collection[str],
    summaries: Summaries,
    metrics: Mapping[str, Metric],
    splits: StoredSplits,
    complain: Callable[[str], None],
) -> Table:
    """Returns the table with these columns; a value is missing if a cell lacks the predictions or probabilities.

    Args:
        table: The table of all rows of the summaries.
        names: Names of optional columns.
        summaries: The cells.
        metrics: Metrics by name.
        splits: Reads stored predictions.
        complain: Called with one line for each reason for which cells have no values; it has the number of these cells.
    """
    values: dict[str, Mapping[str, float]] = {}
    reasons: Counter[str] = Counter()
    for cell in summaries.cells:
        if cell.status == OK and cell.metric in metrics:
            try:
                values[cell.cell] = _values(cell, names, summaries, metrics[cell.metric], splits)
            except UnusableFile as error:
                reasons[str(error)] += 1
    for reason, number in reasons.items():
        complain(f"{', '.join(names)}: {number} cell{'' if number == 1 else 's'} without values: {reason}")
    order = table.columns(["cell"])["cell"]
    return table.with_columns({name: [values.get(cell, {}).get(name) for cell in order] for name in names})


def _values(
    cell: CellSummary, names: Collection[str], summaries: Summaries, metric: Metric, splits: StoredSplits
) -> dict[str, float]:
    """Returns a cell's values by column, averaged over seeds."""
    validation = splits.validation(cell)
    if validation.scores is None:
        return {}
    f1 = _f1_of(cell, summaries)
    temperatures, thresholds = [], []
    for row in validation.scored:
        temperatures.append(c.fitted_temperature(*c.as_classes(row)))
        thresholds.append(best_threshold(row, f1) if has_threshold(row, f1) else None)
    # Test predictions are read only now, after temperature and threshold are chosen.
    test = splits.test(cell, metric)
    if test.scores is None or not {*validation.seeds} <= {*test.seeds}:
        raise UnusableFile("its test predictions are not those of the fits that predicted validation")
    test = with_seeds(test, validation.seeds)
    rows: list[dict[str, float]] = []
    for row, temperature, threshold in zip(test.scored, temperatures, thresholds, strict=True):
        found = {TEMPERATURE: temperature} | _calibrated(row, temperature, names)
        if threshold is not None:
            found |= {THRESHOLD: threshold, F1_AT_THRESHOLD: score(f1, at_threshold(row, threshold))}
        rows.append(found)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _calibrated(row: Scored, temperature: float, names: Collection[str]) -> dict[str, float]:
    targets, scores = c.as_classes(row)
    parts = {"before": scores, "after": c.at_temperature(scores, temperature)}
    return {
        name: _MEASURES[measure](targets, parts[when])
        for name, (measure, when) in CALIBRATION.items()
        if name in names
    }  # fmt: skip


def _f1_of(cell: CellSummary, summaries: Summaries) -> str:
    """Returns the F1 metric of a cell: its primary metric if that is an F1, else the first F1 on record, else ""."""
    recorded: Sequence[str] = summaries.metrics.get(cell.metrics_key, ())
    return next((name for name in (cell.metric, *recorded) if name in METRICS_WITH_THRESHOLD), "")
