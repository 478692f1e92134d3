"""What a finished fit tells a search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tlbench.contracts.record import FitResult

Curve = tuple[tuple[int, float], ...]
"""Steps and the scores at them, in order of steps."""


@dataclass(frozen=True)
class Told:
    """How a trial ended; every number in it is finite."""

    state: Literal["complete", "pruned", "failed"]
    value: float | None
    """None where the trial is not complete."""
    curve: Curve = ()


def told(result: FitResult, sign: float) -> Told:
    """Returns what a result tells, its scores times the sign.

    Complete is what is "ok" and has a finite validation score; what is neither that nor pruned is failed. Scores that
    are not finite are left out, for no sampler can take them.
    """
    scores = {p.step: sign * p.score for p in result.history if p.score is not None and math.isfinite(p.score)}
    curve = tuple(sorted(scores.items()))
    if result.status == "ok" and result.validation is not None and math.isfinite(result.validation):
        return Told("complete", sign * result.validation, curve)
    return Told("pruned" if result.status == "pruned" else "failed", None, curve)
