"""From finished fits and scores to a record."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.executor import OrderResult
from tlbench.contracts.record import PAID, FitResult, Record, Seconds
from tlbench.contracts.strategy import TaskInfo
from tlbench.running.cells.attempt import Attempt
from tlbench.running.cells.cell_folder import Winner


@dataclass(frozen=True)
class Finished:
    """All fits of a cell, and the winner."""

    trials: tuple[FitResult, ...]
    finals: tuple[FitResult, ...]
    winner: Winner


def record_of(attempt: Attempt, info: TaskInfo, finished: Finished, scored: OrderResult) -> Record:
    """Returns the record of a cell with scores, but for what is measured of the cell as a whole."""
    finals = finished.finals
    first = finals[0]
    return Record(
        cell=attempt.cell,
        status="ok",
        attempt=attempt.number,
        reason=scored.left_out,
        metrics=info.metrics,
        positive=info.positive,
        best_params=finished.winner.params,
        trials=finished.trials,
        fits=finals,
        validation=first.validation if finished.winner.validation is None else finished.winner.validation,
        scores=scored.scores,
        report=scored.report,
        overlap=scored.overlap,
        predictions=scored.predictions,
        seconds=_seconds(finished.trials, finals),
        parameters=first.parameters,
        trainable_parameters=first.trainable_parameters,
        examples_seen=round(sum(fit.examples_seen for fit in finals) / len(finals)),
        provenance=scored.made_with,
    )


def _seconds(trials: tuple[FitResult, ...], finals: tuple[FitResult, ...]) -> Seconds:
    def mean(field: str) -> float:
        return float(sum(getattr(fit, field) for fit in finals)) / len(finals)

    return Seconds(
        setup=mean("setup_seconds"),
        encode=mean("encode_seconds"),
        encode_paid=sum(fit.encode_paid_seconds for fit in (*trials, *finals)),
        fit=mean("fit_seconds"),
        search=sum(getattr(trial, field) for trial in trials for field in PAID),
        predict=mean("predict_seconds"),
    )
