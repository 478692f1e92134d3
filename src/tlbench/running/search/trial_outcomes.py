"""The outcome of a finished fit, as samplers and pruners see it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tlbench.contracts.record import FitResult

Curve = tuple[tuple[int, float], ...]
"""(step, score) pairs, in order of steps."""


@dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended; every number in it is finite."""

    state: Literal["complete", "pruned", "failed"]
    value: float | None
    """The score; None unless the trial is complete."""
    curve: Curve = ()
    """The scores reported during training."""


def outcome_of(result: FitResult, sign: float) -> TrialOutcome:
    """Returns the outcome of a fit, with its scores multiplied by the sign.

    A fit is complete if its status is "ok" and its validation score is finite, and failed if it is neither complete nor
    pruned.

    Args:
        result: The result of the fit.
        sign: 1.0 where greater scores are better, -1.0 where smaller ones are.
    """
    # No sampler accepts NaN or infinite scores, so they are left out of the curve.
    scores = {p.step: sign * p.score for p in result.history if p.score is not None and math.isfinite(p.score)}
    curve = tuple(sorted(scores.items()))
    if result.status == "ok" and result.validation is not None and math.isfinite(result.validation):
        return TrialOutcome("complete", sign * result.validation, curve)
    return TrialOutcome("pruned" if result.status == "pruned" else "failed", None, curve)
