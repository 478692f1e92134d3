"""Divides a cell's time limit between its search and the final fits of the winner."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.contracts.record import PAID, FitResult

MARGIN = 1.25
"""Factor by which the time kept for the final fits exceeds the expected time: for scoring, and for fits that take
longer than any trial."""


def final_seconds(trials: Sequence[FitResult], seeds: int, elapsed: float) -> float:
    """Returns the time in seconds that the final fits are expected to take at most; 0 before a trial has a score.

    Each final fit counts as much as the longest trial, and encoding the test split as much as the highest cost of
    encoding and set-up that a trial paid. The final fits count one after the other, since no other worker may be free.

    Args:
        trials: The finished trials.
        seeds: Number of final fits.
        elapsed: The time in seconds that the cell has been worked on. What is not in the trials' own times, such as
            loading the backbone, is divided equally among them, and counts for each final fit.
    """
    scored = _scored(trials)
    if not scored:
        return 0.0
    paid: float = sum(getattr(trial, field) for trial in trials for field in PAID)
    rest = max(0.0, elapsed - paid) / len(trials)
    shared = max(trial.setup_paid_seconds + trial.encode_paid_seconds for trial in scored)
    longest = max(map(_own_seconds, scored))
    return MARGIN * (seeds * (longest + rest) + shared)


def next_seconds(trials: Sequence[FitResult]) -> float:
    """Returns the time in seconds that another trial takes at least: that of the shortest one with a score."""
    return min(map(_own_seconds, _scored(trials)), default=0.0)


def _scored(trials: Sequence[FitResult]) -> list[FitResult]:
    return [trial for trial in trials if trial.status == "ok"]


def _own_seconds(trial: FitResult) -> float:
    return trial.fit_seconds + trial.validate_seconds


def seconds_within_limit(limit: float, seeds: int, elapsed: float, trials: Sequence[FitResult] | None) -> float:
    """Returns the seconds left within a cell's time limit.

    Args:
        limit: The time limit of the cell in seconds.
        seeds: Number of final fits.
        elapsed: The time in seconds that the cell was worked on.
        trials: For the time left for the search, its finished fits: it leaves time for the final fits. None for the
            time left for final fits.
    """
    left = limit - elapsed
    return left if trials is None else left - final_seconds(trials, seeds, elapsed)
