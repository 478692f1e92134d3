"""The best validation score that a search would have found with fewer trials.

J. Dodge et al., "Show Your Work: Improved Reporting of Experimental Results", 2019, arXiv:1909.03004, propose to report
the expected maximum of n trials. R. Tang et al., "Showing Your Work Doesn't Always Work", 2020, arXiv:2004.13705, show
that the estimator of Dodge et al., which draws trials with replacement, is too low on average. This module has the
unbiased estimator of Tang et al.: the mean, over all subsets of n of the N trials, of the best score in the subset. For
all N trials it is the best score that was found.

The estimator is unbiased if trials are independent, as those of the random sampler. TPE proposes trials near good ones,
so its first trials are worse than its last. For TPE and grids, the curve describes these trials and predicts no other
search.
"""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.contracts.record import FitResult, Record

INDEPENDENT = frozenset({"random"})
"""Samplers whose trials are independent draws."""


def expected_best(scores: Sequence[float], greater_is_better: bool = True) -> list[float]:
    """Returns the expected best of n scores drawn without replacement, for n = 1 ... N.

    If the scores are sorted, worst first, the i-th score is the best one of C(i - 1, n - 1) of the C(N, n) subsets.
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
    """Returns the validation score of each trial; empty if no trial has a score.

    The score of a trial that was not fitted whole is the last one that it reported. A trial without a score, perhaps
    because it diverged, counts with the worst score of the search: it used up its part of the budget and found nothing.
    """
    scores = [_score(trial) for trial in record.longest_trials]
    known = [score for score in scores if score is not None]
    if not known:
        return []
    worst = min(known) if greater_is_better else max(known)
    return [worst if score is None else score for score in scores]


def _score(trial: FitResult) -> float | None:
    if trial.validation is not None:
        return trial.validation
    return next((point.score for point in reversed(trial.history) if point.score is not None), None)
