"""Fits trials on folds: one fit for each fold, and one score of the predictions of all folds together.

A mean of the folds' own scores would be biased for metrics such as F1, and undefined on a fold that lacks a class:
Forman & Scholz 2010, doi:10.1145/1882471.1882479.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np

from tlbench.contracts.cell import FitPurpose
from tlbench.contracts.errors import PluginError
from tlbench.contracts.executor import Fit
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.record import FitResult
from tlbench.metrics.resampling import score
from tlbench.metrics.scored_arrays import scored_of
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.fit import Fitted, run_fits
from tlbench.running.fitting.fit_status import status_of

_ADDED = (
    "fit_seconds", "validate_seconds", "setup_seconds", "setup_paid_seconds", "encode_seconds", "encode_paid_seconds",
    "examples_seen", "validation_examples",
)  # fmt: skip


def run_fits_or_folds(
    fits: Sequence[Fit],
    context: CellContext,
    purpose: FitPurpose = "search",
    stop_below: Mapping[int, float] = MappingProxyType({}),
) -> list[Fitted]:
    """Runs fits and returns one result for each; the arguments are those of `run_fits`.

    In a search with folds, each fit is run once per fold, and its result sums up all folds: see `_together`.
    """
    folds = context.cell.protocol.folds
    if purpose == "final" or folds is None:
        return run_fits(fits, context, purpose, stop_below)
    if len(fits) > 1 and context.strategy.item.batch_size == 1:
        # As in `run_fits`: the strategy takes one job at a time, so the fits run one after the other.
        return [one for fit in fits for one in run_fits_or_folds([fit], context, purpose)]
    parts: list[list[Fitted]] = [[] for _ in fits]
    for fold in range(folds):
        # A trial that has failed on one fold has no score, whatever it does on the others.
        going_on = [i for i, done in enumerate(parts) if all(one.result.status == "ok" for one in done)]
        fitted = run_fits([fits[i] for i in going_on], context, purpose, stop_below, fold) if going_on else []
        for i, one in zip(going_on, fitted, strict=True):
            # The predictor is dropped, since it may hold a whole model.
            parts[i].append(Fitted(one.result, answers=one.answers))
    return [Fitted(_together(context, of_trial, folds)) for of_trial in parts]


def _together(context: CellContext, fitted: Sequence[Fitted], folds: int) -> FitResult:
    """Combines the results of a trial's folds into the result of the trial.

    `fitted` has the folds up to the first that is not `ok`, whose status the trial then has. Times are added up, notes
    and shares of truncated examples are averaged, and the score is computed from the predictions of all folds.
    """
    results = [one.result for one in fitted]
    last = results[-1]
    together = msgspec.structs.replace(
        last,
        **{name: sum(getattr(one, name) for one in results) for name in _ADDED},
        notes=_means([one.notes for one in results]),
        truncated=_means([one.truncated for one in results]),
        history=(),
    )
    if context.session.group.rank:
        # Only the process of the first device has predictions.
        return together
    if last.status != "ok":
        return msgspec.structs.replace(together, reason=f"fold {len(results)} of {folds}: {last.reason}")
    try:
        validation = _pooled_score(context, last.seed, [one.answers for one in fitted if one.answers is not None])
    except context.session.caught as error:
        status, reason, trace = status_of(error)
        return msgspec.structs.replace(together, status=status, reason=reason, traceback=trace)
    return msgspec.structs.replace(together, validation=validation)


def _means(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Returns the mean over folds of each named value, without names that some folds lack."""
    common = [name for name in values[0] if all(name in one for one in values)]
    return {name: float(np.mean([one[name] for one in values])) for name in common}


def _pooled_score(context: CellContext, seed: int, answers: Sequence[Predictions]) -> float:
    """Returns the primary metric of the predictions of all folds together."""
    protocol, info = context.cell.protocol, context.info
    assert protocol.folds is not None
    examples = context.splits.subset(seed, protocol.amount, "train+validation")
    folds = context.splits.folds(protocol.folds, seed, protocol.amount)
    # Undoes the grouping by fold: predictions in the order of the examples, which does not depend on the folds.
    order = np.argsort(np.concatenate([np.asarray(fold, dtype=np.int64) for fold in folds]))
    scores = [one.scores for one in answers if one.scores is not None]
    predictions = Predictions(
        tuple(example.id for example in examples),
        np.concatenate([one.values for one in answers])[order],
        np.concatenate(scores)[order] if len(scores) == len(answers) else None,
    )
    targets = [example.target for example in examples]
    try:
        return score(context.metric, scored_of(info.output, targets, predictions, info.positive))
    except PluginError as error:
        raise PluginError(f"the predictions of {protocol.folds} folds: {error}") from error
