"""Moderated variances: each estimate is shrunk towards a common value, the more so the more the estimates agree.

Differs from the paper in one point: if the estimates differ much, none is made smaller.

The paper: G. Smyth, "Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments", 2004, doi:10.2202/1544-6115.1027.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tlbench.metrics.scored import Floats

_FEWEST = 3
"""Smallest number of variances from which a prior is estimated; fewer are not moderated."""

_LEAST_DF = 1.5
"""With fewer degrees of freedom of the prior, the variances differ so much that none is made smaller."""

_SMALLEST = 1e-3
"""Lower limit of the variances when the prior is estimated, as a share of their median."""


@dataclass(frozen=True)
class Moderated:
    """The posterior of K variances: scaled inverse chi-squared distributions."""

    variances: Floats
    """(K,): the location of each posterior."""
    df: Floats
    """(K,): degrees of freedom of each; all equal if `is_one`."""
    is_one: bool
    """Whether all K variances are one, because the estimates differ no more than estimates of one variance would."""


def moderated(variances: Floats, df: Floats) -> Moderated:
    """Returns the posterior of K variances, given estimates of them and their degrees of freedom, (K,) each."""
    if len(variances) < _FEWEST:
        return Moderated(variances, df, is_one=False)
    prior_df, prior = _prior(variances, df)
    if math.isinf(prior_df):
        return Moderated(np.full(len(variances), prior), np.full(len(variances), df.sum()), is_one=True)
    weight = df / (prior_df + df)
    shrunk = weight * variances + (1 - weight) * prior
    if prior_df < _LEAST_DF:
        # Otherwise the variance of a cell that varies 20 times as much as the others would be made smaller, and its
        # differences would seem significant in 10% of tables with equal cells.
        shrunk = np.maximum(shrunk, variances)
    return Moderated(shrunk, prior_df + df, is_one=False)


def _prior(variances: Floats, df: Floats) -> tuple[float, float]:
    """Returns the degrees of freedom and the location of the variances' prior, by moments of their logarithms."""
    from scipy.special import digamma, polygamma

    # Scores are multiples of 1/n, so those of a few seeds may be equal; their variance, 0, has no logarithm.
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
