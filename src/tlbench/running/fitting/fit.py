"""Runs one fit, or several fits in one pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from tlbench.contracts.cell import FitPurpose
from tlbench.contracts.errors import PluginError
from tlbench.contracts.executor import Fit
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.record import FitResult, Point
from tlbench.modeling.activations.activation_cache import EncodeUsage
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import count_all_and_trainable
from tlbench.running.fitting.build_job import ProgressReporter, build_job, seed_everything, validation_score
from tlbench.running.fitting.context import CellContext, FitData
from tlbench.running.fitting.fit_status import status_of
from tlbench.running.fitting.measuring.timing import FitTimers, predict


@dataclass(frozen=True)
class Fitted:
    """The result of a fit, with its predictor (None unless the status is `ok`)."""

    result: FitResult
    predictor: Predictor | None = None
    answers: Predictions | None = None
    """The predictions of the validation split, or of the fold on which the fit is validated, which has no score of its
    own. None without a predictor or without a validation split."""
    job: Job | None = None
    """The job of the fit; None without a predictor."""


def run_fits(
    fits: Sequence[Fit],
    context: CellContext,
    purpose: FitPurpose = "search",
    stop_below: Mapping[int, float] = MappingProxyType({}),
    fold: int | None = None,
) -> list[Fitted]:
    """Runs fits and returns their results.

    If the strategy supports it, several fits run in one pass through `fit_batch`, otherwise one after the other. Errors
    of the strategy are returned as results that are not `ok`. Only an interrupt (Ctrl-C) is raised, and only in a
    process that is not a worker.

    Args:
        fits: Fits of one cell.
        context: The cell's data and models.
        purpose: Stored in the results; a final fit may train on the validation split too, and then has no score.
        stop_below: By step, the minimum score that a fit needs to continue (signed so that greater is better).
        fold: The fold to validate on, from 0; None for the validation split. The results of a fold have predictions
            in place of a validation score.
    """
    if len(fits) > 1 and context.strategy.item.batch_size == 1:
        # The strategy takes one job at a time: one fit after the other, each on a fresh encoder.
        return [one for fit in fits for one in run_fits([fit], context, purpose, stop_below, fold)]
    reports = [ProgressReporter(context, stop_below, fit.stop_part) for fit in fits]
    activations = context.session.activations
    timers = FitTimers(activations)
    jobs: list[Job] = []
    data: dict[int, FitData] = {}
    outcomes: Sequence[Predictor | BaseException]
    with activations.metering() as usage:
        try:
            # 1. Give every fit the same encoder, reset to its pretrained weights, and a job of its own.
            encoder = context.encoder.fresh() if context.encoder else None
            if encoder is not None:
                # The weights are those of the file, so cached activations can be used without a digest of them.
                activations.trust(encoder)
            data = {seed: context.fit_data(seed, purpose, fold) for seed in {fit.seed for fit in fits}}
            for fit, report in zip(fits, reports, strict=True):
                jobs.append(build_job(fit, context, encoder, data[fit.seed], report, timers))
            # Building jobs has used random numbers; the fit starts from its own.
            seed_everything(fits[0].seed)
            # 2. Fit. Only this is charged to the strategy, without encoding, set-up and validation within it.
            with timers.timing(timers.fit):
                strategy = context.strategy.item
                outcomes = [strategy.fit(jobs[0])] if len(jobs) == 1 else strategy.fit_batch(jobs)
                _synchronize(context.session.device)
            if len(outcomes) != len(fits):
                raise PluginError(f"fit_batch gave {len(outcomes)} results for {len(fits)} jobs")
        except context.session.caught as error:
            outcomes = [error] * len(fits)
        # If an error interrupted the building of jobs, the remaining fits have none.
        padded = [*jobs, *[None] * (len(fits) - len(jobs))]
        # 3. Score each predictor on the validation split, whatever the strategy reported.
        validated = [
            _validated(job, outcome, context, timers, is_fold=fold is not None)
            for job, outcome in zip(padded, outcomes, strict=True)
        ]
    # The time of a pass is divided equally among its fits, since it cannot be attributed to single ones.
    share = 1 / len(fits)
    common: dict[str, Any] = {
        "fit_seconds": timers.fit.seconds * share,
        "setup_paid_seconds": timers.setup.seconds * share,
        "validate_seconds": timers.validate.seconds * share,
        "encode_paid_seconds": usage.encode_paid_seconds * share,
    }
    named = {"purpose": purpose, **common}
    train = {seed: parts.train for seed, parts in data.items()}
    validation = {seed: parts.validation for seed, parts in data.items()}
    given = {seed: len(parts.train_examples) for seed, parts in data.items()}
    held_out = {seed: len(parts.validation_examples or ()) for seed, parts in data.items()}
    return [
        _fitted(
            fit,
            job,
            outcome,
            {
                **named,
                "history": _history(report, job),
                "train_examples": given.get(fit.seed, 0),
                "validation_examples": held_out.get(fit.seed, 0),
                "truncated": truncated_shares({"train": train.get(fit.seed), "validation": validation.get(fit.seed)}),
                **_standalone(fit.seed, usage, train, timers.once_seconds),
            },
        )
        for fit, job, outcome, report in zip(fits, padded, validated, reports, strict=True)
    ]


def _history(report: ProgressReporter, job: Job | None) -> tuple[Point, ...]:
    """Returns the reports of a fit in order of steps, and its training losses, which are points without scores."""
    kept = job.losses if job is not None else []
    losses = [Point(int(step), loss=float(loss)) for step, loss in kept if math.isfinite(loss)]
    return tuple(sorted([*report.points, *losses], key=lambda point: point.step))


def truncated_shares(splits: Mapping[str, Data | None]) -> dict[str, float]:
    """Returns the share of truncated examples by split, without the splits for which it is unknown."""
    shares = {split: data.truncated_share for split, data in splits.items() if data is not None}
    return {split: share for split, share in shares.items() if share is not None}


def _standalone(
    seed: int, usage: EncodeUsage, train: Mapping[int, Data], once: Mapping[tuple[int, str], float]
) -> dict[str, float]:
    """Returns the seconds of encoding and set-up that a fit of this seed would need on its own, without a cache.

    The encoding of other seeds' training subsets, and the set-up for other seeds, are left out.
    """
    subsets = {one: data.fingerprint for one, data in train.items()}
    others = {data for data in subsets.values() if data != subsets.get(seed)}
    return {
        "encode_seconds": sum(seconds for key, seconds in usage.read.items() if key.data not in others),
        "setup_seconds": sum(seconds for (owner, _), seconds in once.items() if owner == seed),
    }


@dataclass(frozen=True)
class _Validated:
    outcome: Predictor | BaseException
    validation: float | None = None
    answers: Predictions | None = None


def _validated(job: Job | None, outcome: Any, context: CellContext, timers: FitTimers, is_fold: bool) -> _Validated:
    """Returns the outcome with its validation predictions and their score; predictions of a fold have no score.

    Of the processes of several devices only the first predicts; the others learn whether it could.
    """
    if job is None or isinstance(outcome, BaseException) or job.held_out is None:
        return _Validated(outcome)
    found = _Validated(outcome)

    def validate() -> float:
        nonlocal found
        found = _validated_here(job, outcome, context, timers, is_fold)
        return float(not isinstance(found.outcome, BaseException))

    if not context.session.group.from_first(validate):
        context.session.group.first_has_failed = True
    return found


def _validated_here(job: Job, outcome: Any, context: CellContext, timers: FitTimers, is_fold: bool) -> _Validated:
    assert job.held_out is not None
    try:
        with timers.timing(timers.validate):
            answers = predict(outcome, job.held_out)
            # A single fold is not scored: it may lack a class, and the metric may be undefined then.
            validation = None if is_fold else float(validation_score(context, job.held_out, answers))
        return _Validated(outcome, validation, answers)
    except context.session.caught as error:
        return _Validated(error)


def _fitted(fit: Fit, job: Job | None, validated: _Validated, common: dict[str, Any]) -> Fitted:
    named: dict[str, Any] = {"params": fit.params, "seed": fit.seed, "trial": fit.trial}
    named |= {"stop_part": fit.stop_part, "batch_parts": fit.batch_parts, **common}
    if job is not None:
        named |= {"examples_seen": job.train.meter.rows, "notes": _finite(job.notes)}
    if isinstance(validated.outcome, BaseException):
        status, reason, trace = status_of(validated.outcome)
        return Fitted(FitResult(**named, status=status, reason=reason, traceback=trace))
    total, trained = _parameters(validated.outcome, job)
    result = FitResult(
        **named, status="ok", validation=validated.validation, parameters=total, trainable_parameters=trained
    )
    return Fitted(result, validated.outcome, validated.answers, job)


def _parameters(predictor: Any, job: Job | None) -> tuple[int, int]:
    """Returns the numbers of all parameters and of trained ones, from the predictor or else from encoder and head."""
    if job is None:
        return 0, 0
    if job.encoder is None:
        # Without a backbone the predictor has all parameters that there are.
        own = int(getattr(predictor, "trainable_parameters", 0))
        return own, own
    of_encoder, of_head = count_all_and_trainable(job.encoder), count_all_and_trainable(job.head)
    total = of_encoder[0] + of_head[0]
    trained = getattr(predictor, "trainable_parameters", None)
    if trained is None:
        trained = of_encoder[1] + of_head[1]
    return int(getattr(predictor, "parameters_total", total)), int(trained)


def _finite(notes: dict[str, float]) -> dict[str, float]:
    # Records are JSON, which has no NaN.
    return {name: float(value) for name, value in notes.items() if np.isfinite(value)}


def _synchronize(device: torch.device) -> None:
    # Kernels run asynchronously: without this, the end of a fit would be timed as part of what comes next.
    if device.type == "cuda":
        torch.cuda.synchronize(device)
