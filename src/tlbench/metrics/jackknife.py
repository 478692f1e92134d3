"""Jackknife values: what each test example contributes to a score, for any metric."""

from __future__ import annotations

import numpy as np

from tlbench.contracts.metric import Metric
from tlbench.metrics.builtin import BuiltIn
from tlbench.metrics.formula import Sums
from tlbench.metrics.resampling import from_sums, resampled
from tlbench.metrics.scored import Array, Floats, Scored, checked

LARGEST = 2000
"""The maximum number of groups for metrics that are not functions of sums, which take O(N) time for each group."""


def jackknife_values(metric: Metric, scored: Scored, groups: Array | None = None) -> Floats:
    """Returns (G,): a value for each group of examples, whose mean is the score of the whole sample.

    The values are Tukey's pseudo-values, n * score - (n - 1) * (score without the group), shifted so that their mean is
    the score itself. For a mean over examples, such as accuracy, they are the values that are averaged. Their variance
    divided by G estimates the variance of the score over samples of test examples (Efron and Stein 1981,
    doi:10.1214/aos/1176345462).

    Args:
        metric: The metric.
        scored: The predictions of one fit.
        groups: (N,) the group of each example, as numbers from 0 to G - 1, for examples that are not independent. If
            None, each example is a group of its own.

    Raises:
        ValueError, Diverged, PluginError: As `score`, for the sample or one of its parts.
    """
    scored = checked(metric, scored)
    group_of: Array = np.arange(len(scored)) if groups is None else np.asarray(groups)
    if _is_function_of_sums(metric):
        totals = parts = metric.parts(scored).astype(np.float64)
        if groups is not None:
            totals = np.zeros((int(group_of.max()) + 1, parts.shape[1]))
            np.add.at(totals, group_of, parts)
        whole = parts.sum(axis=0)
        sums = np.vstack([whole, whole - totals])
        scores = from_sums(metric, sums)
        if isinstance(metric, BuiltIn) and isinstance(metric.formula, Sums):
            # Row 0 is the whole sample, and row g + 1 the sample without group g.
            scores = metric.formula.corrected(scored, sums, scores, lambda rows: group_of + 1 != rows[:, None])
    else:
        # Numbered anew into at most `LARGEST` groups: a delete-a-group jackknife estimates the same variance.
        group_of = group_of % LARGEST
        kept = np.ones((int(group_of.max()) + 2, len(scored)), dtype=np.uint8)
        kept[group_of + 1, np.arange(len(scored))] = 0
        scores = resampled(metric, scored, kept)
    count = len(scores) - 1
    values = count * scores[0] - (count - 1) * scores[1:]
    return np.asarray(values - values.mean() + scores[0])


def _is_function_of_sums(metric: Metric) -> bool:
    if isinstance(metric, BuiltIn):
        return isinstance(metric.formula, Sums)
    return type(metric).resampler is Metric.resampler
