"""Other tests of all pairs of strategies, whose error rates and power are compared with tlbench's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.special import stdtr

from tlbench.results.significance.all_pairs import compare_pairs, separate_tests
from tlbench.results.significance.components import Components

ALPHA = 0.05
_DRAWS = 1000

Test = Callable[[Sequence[np.ndarray], Sequence[Components], np.random.Generator], np.ndarray]
"""Takes the values (S, n) and the components of each of K strategies; returns (K, K): which pairs differ."""


def ours(values: Sequence[np.ndarray], components: Sequence[Components], generator: np.random.Generator) -> np.ndarray:
    """Tlbench's own test."""
    return compare_pairs(components).is_significant(ALPHA)


def paired_t(
    values: Sequence[np.ndarray], components: Sequence[Components], generator: np.random.Generator
) -> np.ndarray:
    """A t test on the scores of equal seeds, corrected by Holm (1979)."""
    scores = np.array([table.mean(axis=1) for table in values])
    first, second = np.triu_indices(len(values), 1)
    differences = scores[first] - scores[second]
    errors = differences.std(axis=1, ddof=1) / np.sqrt(scores.shape[1])
    return _holm(len(values), 2 * stdtr(scores.shape[1] - 1, -np.abs(differences.mean(axis=1)) / errors.clip(1e-15)))


def crossed(
    values: Sequence[np.ndarray], components: Sequence[Components], generator: np.random.Generator
) -> np.ndarray:
    """Tlbench's own t test of two strategies on each pair alone, corrected by Holm (1979)."""
    pairs = np.triu_indices(len(values), 1)
    errors, df = separate_tests(components)
    scores = np.array([one.score for one in components])
    t = np.abs(scores[pairs[0]] - scores[pairs[1]]) / errors[pairs].clip(1e-15)
    return _holm(len(values), 2 * stdtr(df[pairs], -t))


def largest(
    values: Sequence[np.ndarray], components: Sequence[Components], generator: np.random.Generator
) -> np.ndarray:
    """A bootstrap of examples and seeds: differences beyond the largest deviation of any pair in 95% of resamples.

    Examples are resampled in the scores' linear approximation, seeds with deviations scaled by sqrt(S / (S - 1)).
    """
    k, (s, n) = len(values), values[0].shape
    by_example = np.stack([one.by_example for one in components])
    variances, vectors = np.linalg.eigh(by_example @ by_example.T / n**2)
    drawn = generator.standard_normal((_DRAWS, k)) @ (vectors * np.sqrt(variances.clip(0))).T
    scores = np.array([table.mean(axis=1) for table in values])
    deviations = scores - scores.mean(axis=1, keepdims=True)
    picked = generator.integers(0, s, size=(_DRAWS, k, s))
    drawn = drawn + np.take_along_axis(deviations[None], picked, axis=2).mean(axis=2) * np.sqrt(s / (s - 1))
    spans = drawn.max(axis=1) - drawn.min(axis=1)
    means = scores.mean(axis=1)
    return np.asarray(np.abs(means[:, None] - means[None, :]) > np.quantile(spans, 1 - ALPHA))


def _holm(count: int, p_values: np.ndarray) -> np.ndarray:
    first, second = np.triu_indices(count, 1)
    order = np.argsort(p_values)
    passes = p_values[order] <= ALPHA / (len(order) - np.arange(len(order)))
    kept = order[: len(order) if passes.all() else int(np.argmin(passes))]
    differs = np.zeros((count, count), dtype=bool)
    differs[first[kept], second[kept]] = differs[second[kept], first[kept]] = True
    return differs


RIVALS: Mapping[str, Test] = {"paired t": paired_t, "largest": largest, "crossed": crossed}
