"""The ensemble of a task: its fits averaged with weights that are chosen on the validation split, for each seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tlbench.contracts.metric import Metric
from tlbench.metrics.resampling import bootstrap, score
from tlbench.metrics.scored import Floats, Scored
from tlbench.results.columns import ONE_FIT, STRATEGY
from tlbench.results.post_hoc.averaging import NOT_AVERAGED, averageable, can_be_averaged, predicted
from tlbench.results.post_hoc.calibration import as_classes, log_loss
from tlbench.results.post_hoc.greedy_selection import greedy_weights
from tlbench.results.post_hoc.stored_splits import StoredSplits, UnusableFile, with_seeds
from tlbench.results.records.summaries import CellSummary
from tlbench.results.significance.cell_values import components
from tlbench.results.significance.intervals import FEWEST_SEEDS, interval
from tlbench.results.stats import CellPredictions

LeaveOut: TypeAlias = Callable[[CellSummary, str], None]


@dataclass(frozen=True)
class Ensemble:
    """The ensembles of one task at S seeds; at each seed, the cells' fits of that seed are averaged."""

    metric: Metric
    members: tuple[CellSummary, ...]
    """The cells with a positive weight at some seed, by descending weight."""
    weights: Floats
    """(S, M): the weights of the members at each seed; each row sums to 1."""
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    """(S,): the score on the test split at each seed."""
    low: float
    """Lower end of the 95% interval."""
    high: float
    interval_of: str
    """What the interval is of, "strategy" or "one fit", as in the leaderboard's column `interval_of`."""
    rows: tuple[Scored, ...]
    """(S,): the predictions of the test split at each seed."""


class NoEnsemble(Exception):
    """A task has no ensemble; the message says why, in one line."""


def ensemble_of(metric: Metric, cells: Sequence[CellSummary], splits: StoredSplits, leave_out: LeaveOut) -> Ensemble:
    """Returns the ensemble of a task.

    Members and weights are chosen on the validation split; the test predictions of the members are read afterwards.
    Cells take part if they predict the same validation examples at the same seeds as most cells.

    Args:
        metric: The metric in which the cells are ranked.
        cells: The cells of the task that have a score in the metric.
        splits: Reads stored predictions.
        leave_out: Called with each cell that takes no part and the reason.

    Raises:
        NoEnsemble: Fewer than two cells can take part, or the predictions cannot be averaged.
    """
    known = _validations(cells, splits, leave_out)
    while True:
        known, seeds = _comparable(known, leave_out)
        if len(known) < 2:
            raise NoEnsemble(
                f"it takes two cells with validation predictions, and {len(known) or 'none'} can take part"
            )
        # Sorted by validation score, best first, since of equally good fits the first is added.
        fits = dict(sorted(known.items(), key=lambda item: -_goodness(metric, item[1].scored[0])))
        weights = np.stack([_weights(metric, [one.scored[i] for one in fits.values()]) for i in range(len(seeds))])
        used = np.argsort(-weights.sum(axis=0), kind="stable")[: np.count_nonzero(weights.sum(axis=0))]
        members, weights = [list(fits)[i] for i in used], weights[:, used]
        tests = _tests(members, seeds, metric, splits, leave_out)
        if len(tests) == len(members):
            break
        known = {one: predictions for one, predictions in known.items() if one not in members or one in tests}
    rows = [_averaged([tests[one].scored[i] for one in members], weights[i]) for i in range(len(seeds))]
    values = tuple(score(metric, row) for row in rows)
    low, high, of = _interval(metric, rows, tests[members[0]])
    return Ensemble(metric, tuple(members), weights, seeds, values, low, high, of, tuple(rows))


_Known = dict[CellSummary, CellPredictions]


def _validations(cells: Sequence[CellSummary], splits: StoredSplits, leave_out: LeaveOut) -> _Known:
    """Returns the validation predictions of all cells that have any, if they can be averaged."""
    known: _Known = {}
    for cell in cells:
        try:
            predictions = splits.validation(cell)
        except UnusableFile as error:
            leave_out(cell, str(error))
            continue
        if not can_be_averaged(predictions):
            raise NoEnsemble(NOT_AVERAGED)
        known[cell] = predictions
    return known


def _comparable(known: _Known, leave_out: LeaveOut) -> tuple[_Known, tuple[int, ...]]:
    """Returns the cells with the validation examples and seeds of most cells, with only these seeds, and the seeds."""
    if not known:
        return {}, ()
    alike: list[_Known] = []
    for cell, predictions in known.items():
        group = next((one for one in alike if predictions.same_examples(next(iter(one.values())))), None)
        if group is None:
            alike.append(group := {})
        group[cell] = predictions
    largest = max(alike, key=len)

    def shared_by(seeds: tuple[int, ...]) -> tuple[int, int]:
        return sum({*seeds} <= {*one.seeds} for one in largest.values()), len(seeds)

    seeds = max((one.seeds for one in largest.values()), key=shared_by)
    for cell, predictions in known.items():
        if cell not in largest:
            leave_out(cell, "its validation examples are not those of most cells")
        elif not {*seeds} <= {*predictions.seeds}:
            leave_out(cell, f"it lacks a seed of {', '.join(map(str, seeds))}")
    fits = {cell: one for cell, one in largest.items() if {*seeds} <= {*one.seeds}}
    return {cell: with_seeds(one, seeds) for cell, one in fits.items()}, seeds


def _weights(metric: Metric, fits: Sequence[Scored]) -> Floats:
    """Returns the weights (M,) of the fits of one seed, chosen on validation predictions; the weights sum to 1."""

    def goodness(average: Floats) -> float:
        return _goodness(metric, predicted(average, fits[0]))

    def likelihood(average: Floats) -> float:
        # Many ensembles have equal accuracies; the log loss of their probabilities decides between these.
        scored = predicted(average, fits[0])
        return 0.0 if scored.scores is None else -log_loss(*as_classes(scored))

    counts = greedy_weights(averageable(fits), goodness, likelihood)
    return np.asarray(counts / counts.sum())


def _goodness(metric: Metric, scored: Scored) -> float:
    return score(metric, scored) if metric.greater_is_better else -score(metric, scored)


def _tests(
    members: Sequence[CellSummary],
    seeds: Sequence[int],
    metric: Metric,
    splits: StoredSplits,
    leave_out: LeaveOut,
) -> _Known:
    """Returns the test predictions of all members whose predictions can be used."""
    tests: _Known = {}
    for cell in members:
        try:
            predictions = splits.test(cell, metric)
            if not {*seeds} <= {*predictions.seeds}:
                raise UnusableFile("its test predictions lack a seed of its validation predictions")
            if tests and not predictions.same_examples(next(iter(tests.values()))):
                raise UnusableFile("its test examples are not those of the other members")
        except UnusableFile as error:
            leave_out(cell, str(error))
            continue
        tests[cell] = with_seeds(predictions, seeds)
    return tests


def _averaged(fits: Sequence[Scored], weights: Floats) -> Scored:
    return predicted(np.tensordot(weights, averageable(fits), axes=1), fits[0])


def _interval(metric: Metric, rows: Sequence[Scored], test: CellPredictions) -> tuple[float, float, str]:
    """Returns the 95% interval of the ensemble's score and what it is of."""
    if len(rows) >= FEWEST_SEEDS:
        return *interval(components(metric, list(rows), test.groups), metric), STRATEGY
    ends = np.mean([bootstrap(metric, row, groups=test.groups) for row in rows], axis=0)
    return float(ends[0]), float(ends[1]), ONE_FIT


def cell_name(cell: CellSummary) -> str:
    """Returns the backbone and strategy of a cell."""
    return f"{cell.backbone} | {cell.strategy}" if cell.backbone else cell.strategy
