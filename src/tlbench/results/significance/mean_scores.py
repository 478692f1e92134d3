"""Variance components of means over tasks. Test examples and seeds count as samples, but the tasks do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlbench.metrics.scored import Floats
from tlbench.results.significance.components import Components
from tlbench.results.significance.differences import rebuilt


@dataclass(frozen=True)
class TaskScores:
    """The scores of K rows on one task, on a scale that all tasks share."""

    scores: Floats
    """(K,)."""
    covariance: Floats
    """(K, K) over samples of test examples; 0 for a row without variance, such as a failed one, whose score is set."""
    seeds: Floats
    """(K,) numbers of seeds."""
    between: Floats
    """(K,) variances of the scores of single seeds."""
    residual: Floats
    """(K,) the parts of `between` that come from the sample of examples."""
    example_df: float
    """Degrees of freedom of the covariances."""


def mean_scores(tasks: Sequence[TaskScores]) -> list[Components]:
    """Returns the components of each row's mean over tasks, which have independent test examples and seeds.

    Variances add up over tasks. Degrees of freedom of the variance between seeds are Satterthwaite's (1946). They use
    each task's variance averaged over rows, since a row with small variances by chance would get too many of them.
    """
    weight = 1 / len(tasks)
    scores = weight * np.sum([task.scores for task in tasks], axis=0)
    covariance = weight**2 * np.sum([task.covariance for task in tasks], axis=0)
    between = weight**2 * np.sum([task.between / task.seeds for task in tasks], axis=0)
    residual = weight**2 * np.sum([task.residual / task.seeds for task in tasks], axis=0)
    df = _degrees_of_freedom(tasks)
    # A mean over tasks has no number of seeds; `seeds` is 1 + the degrees of freedom.
    return rebuilt(scores, covariance, df + 1, between * (df + 1), residual * (df + 1), _example_df(tasks))


def _degrees_of_freedom(tasks: Sequence[TaskScores]) -> Floats:
    """Returns (K,) degrees of freedom of the variances of the means between seeds."""
    parts = np.stack([_mean_of_varying(task.between) / task.seeds for task in tasks])
    free = np.stack([task.seeds - 1 for task in tasks])
    total = parts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = total**2 / (parts**2 / free).sum(axis=0)
    # If there is no variance between seeds, the degrees of freedom are not used.
    return np.asarray(np.round(np.where(total > 0, df, free.sum(axis=0)), 9))


def _mean_of_varying(between: Floats) -> float:
    varying: NDArray[np.bool_] = between > 0
    return float(between[varying].mean()) if varying.any() else 0.0


def _example_df(tasks: Sequence[TaskScores]) -> float:
    """Returns the degrees of freedom of the means' covariances, from the mean over rows of each task's variance."""
    parts = np.array([np.diag(task.covariance).mean() for task in tasks])
    free = np.array([task.example_df for task in tasks])
    return float(parts.sum() ** 2 / (parts**2 / free).sum()) if parts.any() else float(free.sum())
