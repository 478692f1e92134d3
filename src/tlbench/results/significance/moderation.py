"""Moderated variances: each estimate is drawn towards that of all cells, by as much as the estimates agree.

The paper: G. Smyth, "Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments", 2004, doi:10.2202/1544-6115.1027.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tlbench.metrics.scored import Floats

_FEWEST = 3
"""Fewest variances that say something about how much they differ."""

_SMALLEST = 1e-3
"""The smallest variance that counts, as a share of the median."""


@dataclass(frozen=True)
class Moderated:
    """The posterior of K variances: scaled inverse chi-squared distributions."""

    variances: Floats
    """(K,)."""
    df: Floats
    """(K,): degrees of freedom of each; the same where `is_one` holds."""
    is_one: bool
    """Whether the estimates differ no more than estimates of one common variance would."""


def moderated(variances: Floats, df: Floats) -> Moderated:
    """Returns the posterior of K variances, given estimates of them and their degrees of freedom, (K,) each."""
    if len(variances) < _FEWEST:
        return Moderated(variances, df, is_one=False)
    prior_df, prior = _prior(variances, df)
    if math.isinf(prior_df):
        return Moderated(np.full(len(variances), prior), np.full(len(variances), df.sum()), is_one=True)
    weight = df / (prior_df + df)
    return Moderated(weight * variances + (1 - weight) * prior, prior_df + df, is_one=False)


def _prior(variances: Floats, df: Floats) -> tuple[float, float]:
    """Returns the degrees of freedom and the location of the variances' prior, by moments of their logarithms."""
    from scipy.special import digamma, polygamma

    # Scores are multiples of 1/n: by chance those of a few seeds are equal, and 0 has no logarithm.
    floored = np.maximum(variances, _SMALLEST * np.median(variances))
    logs = np.log(np.maximum(floored, np.finfo(np.float64).tiny)) - digamma(df / 2) + np.log(df / 2)
    excess = float(logs.var(ddof=1) - polygamma(1, df / 2).mean())
    if excess <= 0:
        return math.inf, float((df * variances).sum() / df.sum())
    half = _inverse_trigamma(excess)
    return 2 * half, float(np.exp(logs.mean() + digamma(half) - np.log(half)))


def _inverse_trigamma(value: float) -> float:
    """Returns x with trigamma(x) = value, by Newton's method on 1 / trigamma, which converges from below."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x
