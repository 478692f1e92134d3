"""Contradictions within one record: seeds, params, the winner, costs and counts that its own fits do not give."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tlbench.contracts.metric import Metric
from tlbench.contracts.record import FitResult, Record
from tlbench.results.records.finite_numbers import not_finite
from tlbench.running.cells.cell_record import seconds_of

_ROUNDING = 1e-9
_SUMMED = ("setup", "encode", "encode_paid", "fit", "search", "predict")
"""The fields of `Seconds` that follow from the fits."""


def record_faults(record: Record, metric: Metric) -> Iterator[str]:
    """Yields what contradicts itself in a record with scores, a line each.

    Args:
        record: The record, of status `ok`.
        metric: Its primary metric.
    """
    if text := not_finite(record):
        yield text
        return
    if not record.fits:
        yield "it has scores and no final fit"
        return
    yield from _seed_faults(record)
    yield from _params_faults(record)
    yield from _winner_faults(record, metric)
    yield from _count_faults(record)


def _seed_faults(record: Record) -> Iterator[str]:
    protocol, seeds = record.cell.protocol, tuple(fit.seed for fit in record.fits)
    was_stopped = protocol.stop == "futility" and seeds == protocol.seeds[:1]
    if seeds != protocol.seeds and not was_stopped:
        yield f"its final fits have the seeds {_listed(seeds)}, and the cell {_listed(protocol.seeds)}"
    scored = {score.seed for score in record.scores if score.metric == record.metrics[0] and score.slice is None}
    if scored != set(seeds):
        yield f"it has scores of the seeds {_listed(sorted(scored))}, and final fits of {_listed(seeds)}"
    for trial in record.trials:
        if trial.seed != protocol.seeds[0]:
            yield f"trial {trial.trial} has the seed {trial.seed}, and the search {protocol.seeds[0]}"
            return


def _params_faults(record: Record) -> Iterator[str]:
    for fit in record.fits:
        if fit.params != record.best_params:
            yield f"the final fit of seed {fit.seed} has other params than the winner"
        if fit.status != "ok":
            yield f"the final fit of seed {fit.seed} is {fit.status}"
    if len(record.longest_trials) > record.cell.protocol.trials:
        yield f"it has {len(record.longest_trials)} trials, and the protocol {record.cell.protocol.trials}"


def _winner_faults(record: Record, metric: Metric) -> Iterator[str]:
    first = record.fits[0].validation
    if not record.trials:
        if record.validation is not None and first is not None and not _same(record.validation, first):
            yield f"its validation score is {record.validation}, and {first} in the fit of its first seed"
        return
    fits = [trial for trial in record.trials if trial.status == "ok" and trial.validation is not None]
    own = [trial for trial in fits if trial.params == record.best_params]
    if not any(_same(trial.validation, record.validation) for trial in own):
        yield "no trial has the winner's params and its validation score"
    # With rungs, trials of unequal length are not comparable.
    if own and not record.cell.protocol.pruner.endswith("-rungs"):
        best = (max if metric.greater_is_better else min)(fits, key=lambda trial: trial.validation or 0.0)
        if record.validation is not None and not _same(best.validation, record.validation):
            yield f"trial {best.trial} validates at {best.validation}, better than the winner's {record.validation}"


def _count_faults(record: Record) -> Iterator[str]:
    expected, found = seconds_of(record.trials, record.fits), record.seconds
    for name in _SUMMED:
        if not _same(getattr(expected, name), getattr(found, name)):
            yield f"its {name} seconds are {getattr(found, name):g}, and {getattr(expected, name):g} by its fits"
    if any(number < 0 for fit in (*record.trials, *record.fits) for number in _durations(fit)) or found.total < 0:
        yield "a time is negative"
    first = record.fits[0]
    for name in ("parameters", "trainable_parameters"):
        if getattr(record, name) != getattr(first, name):
            yield f"its {name} are {getattr(record, name)}, and {getattr(first, name)} in the fit of its first seed"
    seen = round(sum(fit.examples_seen for fit in record.fits) / len(record.fits))
    if record.examples_seen != seen:
        yield f"its examples_seen are {record.examples_seen}, and {seen} by its fits"
    if record.test_reads < 1:
        yield "it has scores, and the test split was never opened"


def _durations(fit: FitResult) -> Iterator[float]:
    for name in fit.__struct_fields__:
        if name.endswith("_seconds"):
            yield getattr(fit, name)


def _same(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=_ROUNDING, abs_tol=_ROUNDING)


def _listed(seeds: object) -> str:
    return ", ".join(map(str, seeds)) or "none"  # type: ignore[call-overload]
