"""One fit, or several settings fitted in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch

from tlbench.contracts.errors import PluginError
from tlbench.contracts.executor import Fit
from tlbench.contracts.record import FitResult
from tlbench.contracts.strategy import Job, Predictor
from tlbench.modeling.activations.activation_cache import EncodeUsage
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import count_parameters
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.fit_status import status_of
from tlbench.running.fitting.job import Reports, job_of, seed_everything
from tlbench.running.fitting.session import Faults
from tlbench.running.fitting.timing import Watches


@dataclass(frozen=True)
class Fitted:
    """What a fit gave: its result, and the predictor while it is alive."""

    result: FitResult
    predictor: Predictor | None = None


def run_fits(
    fits: Sequence[Fit],
    context: CellContext,
    purpose: Literal["search", "final"] = "search",
    stop_below: Mapping[int, float] = MappingProxyType({}),
) -> list[Fitted]:
    """Returns what each fit gave; several go through the strategy's `fit_batch` together, where it takes several.

    Nothing that a strategy raises leaves this function, but for an interrupt where the process is a person's own.

    Args:
        fits: Of one cell.
        context: What they are made from.
        purpose: Noted in the results.
        stop_below: Step to the least score, as greater is better, with which a fit goes on.
    """
    if len(fits) > 1 and context.strategy.item.batch_size == 1:
        # One after the other, each on a fresh encoder.
        return [one for fit in fits for one in run_fits([fit], context, purpose, stop_below)]
    reports = [Reports(context, stop_below) for _ in fits]
    activations = context.session.activations
    watches = Watches(activations)
    jobs: list[Job] = []
    train: dict[int, Data] = {}
    outcomes: Sequence[Predictor | BaseException]
    with activations.metering() as usage:
        try:
            encoder = context.encoder.fresh() if context.encoder else None
            if encoder is not None:
                activations.trust(encoder)
            train = {seed: context.train(seed) for seed in {fit.seed for fit in fits}}
            validation = context.data(context.splits.validation)
            for fit, report in zip(fits, reports, strict=True):
                jobs.append(job_of(fit, context, encoder, train[fit.seed].metered(), validation, report, watches))
            seed_everything(fits[0].seed)
            with watches.charging(watches.fit):
                strategy = context.strategy.item
                outcomes = [strategy.fit(jobs[0])] if len(jobs) == 1 else strategy.fit_batch(jobs)
                _wait(context.session.device)
            if len(outcomes) != len(fits):
                raise PluginError(f"fit_batch gave {len(outcomes)} results for {len(fits)} jobs")
        except context.session.faults as error:
            outcomes = [error] * len(fits)
        # A fault before the first fit leaves some without a job.
        made = [*jobs, *[None] * (len(fits) - len(jobs))]
        scored = [_scored(job, outcome, context.session.faults) for job, outcome in zip(made, outcomes, strict=True)]
    share = 1 / len(fits)
    common: dict[str, Any] = {
        "fit_seconds": watches.fit.seconds * share,
        "setup_paid_seconds": watches.setup.seconds * share,
        "validate_seconds": watches.validate.seconds * share,
        "encode_paid_seconds": usage.encode_paid_seconds * share,
    }
    named = {"purpose": purpose, **common}
    return [
        _finished(
            fit, job, outcome, {**named, "history": report.points, **_standalone(fit.seed, usage, train, watches.once)}
        )
        for fit, job, outcome, report in zip(fits, made, scored, reports, strict=True)
    ]


def _standalone(
    seed: int, usage: EncodeUsage, train: Mapping[int, Data], once: Mapping[tuple[int, str], float]
) -> dict[str, float]:
    """Returns the seconds of encoding and set-up that a fit of this seed would have taken, had it been alone.

    What only the other seeds' subsets and keys took is not among them.
    """
    subsets = {one: data.fingerprint for one, data in train.items()}
    others = {data for data in subsets.values() if data != subsets.get(seed)}
    return {
        "encode_seconds": sum(seconds for key, seconds in usage.read.items() if key.data not in others),
        "setup_seconds": sum(seconds for (owner, _), seconds in once.items() if owner == seed),
    }


@dataclass(frozen=True)
class _Scored:
    outcome: Predictor | BaseException
    validation: float | None = None


def _scored(job: Job | None, outcome: Any, faults: Faults) -> _Scored:
    if job is None or isinstance(outcome, BaseException):
        return _Scored(outcome)
    try:
        validation = float(job.score(outcome))
    except faults as error:
        return _Scored(error)
    return _Scored(outcome, validation)


def _finished(fit: Fit, job: Job | None, scored: _Scored, common: dict[str, Any]) -> Fitted:
    named: dict[str, Any] = {"params": fit.params, "seed": fit.seed, "trial": fit.trial, **common}
    if job is not None:
        named |= {"examples_seen": job.train.meter.rows, "notes": _finite(job.notes)}
    if isinstance(scored.outcome, BaseException):
        status, reason, trace = status_of(scored.outcome)
        return Fitted(FitResult(**named, status=status, reason=reason, traceback=trace))
    total, trained = _parameters(scored.outcome, job)
    result = FitResult(
        **named, status="ok", validation=scored.validation, parameters=total, trainable_parameters=trained
    )
    return Fitted(result, scored.outcome)


def _parameters(predictor: Any, job: Job | None) -> tuple[int, int]:
    """Returns all weights and the trained ones: as the predictor says, or of the job's encoder and head."""
    if job is None or job.encoder is None:
        return 0, 0
    total = count_parameters(job.encoder) + count_parameters(job.head)
    trained = getattr(predictor, "trainable_parameters", None)
    if trained is None:
        trained = count_parameters(job.encoder, trainable=True) + count_parameters(job.head, trainable=True)
    return int(getattr(predictor, "parameters_total", total)), int(trained)


def _finite(notes: dict[str, float]) -> dict[str, float]:
    # JSON has no NaN.
    return {name: float(value) for name, value in notes.items() if np.isfinite(value)}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
