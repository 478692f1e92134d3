"""The best validation score that a search would have found with fewer trials.

The papers: J. Dodge et al., "Show Your Work: Improved Reporting of Experimental Results", 2019, arXiv:1909.03004, who
ask for the expected maximum of n trials; and R. Tang et al., "Showing Your Work Doesn't Always Work", 2020,
arXiv:2004.13705, who show that the estimator of the former, which draws trials with replacement, is too low on average.
This is the unbiased one of the latter: the mean over all subsets of n of the N trials. Its value for all N trials is
the best score that was found.

It is exact for independent trials, as of the random sampler. TPE proposes trials near good ones, so its first trials
are worse than its last; there, and for a grid, the curve describes these trials and predicts no other search.
"""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.contracts.record import FitResult, Record

INDEPENDENT = frozenset({"random"})
"""Samplers whose trials are independent draws."""


def expected_best(scores: Sequence[float], greater_is_better: bool = True) -> list[float]:
    """Returns the expected best of n scores drawn without replacement, for n = 1 ... N.

    With the scores in order, worst first, the i-th is the best of C(i - 1, n - 1) of the C(N, n) subsets.
    """
    ordered = sorted(scores, reverse=not greater_is_better)
    count = len(ordered)
    curve = []
    for n in range(1, count + 1):
        weight, total = n / count, 0.0
        for i in range(count, n - 1, -1):
            total += weight * ordered[i - 1]
            # C(i - 2, n - 1) / C(i - 1, n - 1)
            weight *= (i - n) / (i - 1) if i > 1 else 0.0
        curve.append(total)
    return curve


def trial_scores(record: Record, greater_is_better: bool = True) -> list[float]:
    """Returns the validation score of each trial; empty without any.

    A pruned trial has the last score that it reported. One without a score, which diverged for example, has the worst
    score of the search: it used up its part of the budget and found nothing.
    """
    scores = [_score(trial) for trial in record.trials]
    known = [score for score in scores if score is not None]
    if not known:
        return []
    worst = min(known) if greater_is_better else max(known)
    return [worst if score is None else score for score in scores]


def _score(trial: FitResult) -> float | None:
    if trial.validation is not None:
        return trial.validation
    return next((point.score for point in reversed(trial.history) if point.score is not None), None)
