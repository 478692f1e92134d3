"""The outcome of a search's fit, from the executor's answer: score, seconds, and whether predictions are constant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tlbench.contracts.executor import OrderResult
from tlbench.contracts.metric import Metric
from tlbench.contracts.policies.policy import Outcome
from tlbench.contracts.record import FitResult
from tlbench.finding.find_folder import StoredFit, StoredOutcome
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.results.stats import CellPredictions
from tlbench.running.scoring.prediction_files import validation_path


def stored_outcome(answer: OrderResult, part: int | None, folder: Path, seconds: float) -> StoredOutcome:
    """Returns the outcome of a fit that a worker answered.

    Args:
        answer: The worker's answer to an order of one fit.
        part: The part of a whole fit after which the fit was to stop; None for a whole one.
        folder: The folder of the fit, which has its predictions.
        seconds: The seconds since the order was submitted.
    """
    if answer.error or len(answer.results) != 1:
        return StoredOutcome("failed", seconds, reason=answer.error or "the executor answered no single fit")
    fit = answer.results[0]
    if fit.status == "ok" and fit.validation is not None:
        return StoredOutcome("ok", seconds, fit.validation, _is_constant(folder, fit.seed), fit=fit)
    score = _last_score(fit) if fit.status == "pruned" and part is not None else None
    if score is not None:
        return StoredOutcome("pruned", seconds, score, fit=fit)
    status = "failed" if fit.status in ("ok", "pruned") else fit.status
    return StoredOutcome(status, seconds, reason=fit.reason or "it has no validation score", fit=fit)


def outcomes_of(fits: list[StoredFit], metric: Metric) -> list[Outcome]:
    """Returns the outcomes as policies see them, in the order of the proposals.

    A fit that should have been stopped but ran to its end, because its strategy reports no scores, is followed by the
    outcome of the whole fit, which costs nothing more.
    """
    sign = 1.0 if metric.greater_is_better else -1.0
    found = []
    for one in fits:
        if (outcome := one.outcome) is None:
            continue
        proposal = one.proposed.proposal
        score = None if outcome.score is None else sign * outcome.score
        found.append(Outcome(proposal, score, outcome.seconds, outcome.is_constant))
        if proposal.part is not None and outcome.ran_whole:
            found.append(Outcome(replace(proposal, part=None), score, 0.0, outcome.is_constant))
    return found


def validation_answers(folder: Path, positive: int) -> CellPredictions | None:
    """Returns a fit's predictions of the validation split from its folder, or None if there are none."""
    try:
        found = read_predictions(validation_path(folder, 0), with_scores=True)
    except (OSError, ValueError):
        return None
    return None if found is None else replace(found, positive=positive)


def _is_constant(folder: Path, seed: int) -> bool:
    try:
        found = read_predictions(validation_path(folder, seed))
    except (OSError, ValueError):
        return False
    if found is None or len(found.ids) < 2:
        return False
    values = found.values[0]
    if values.dtype == object:
        return all(one == values[0] for one in values)
    return bool(np.all(values == values[:1]))


def _last_score(fit: FitResult) -> float | None:
    return next((point.score for point in reversed(fit.history) if point.score is not None), None)
