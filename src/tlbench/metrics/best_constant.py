"""Finds the constant answer with the best score: a class, a set of labels, a number or a tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tlbench.contracts.errors import PluginError
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Predictions, Scalar, TokenClasses
from tlbench.metrics.resampling import resampled, score
from tlbench.metrics.scored import Scored, checked, objects
from tlbench.metrics.scored_arrays import scored_of

Array: TypeAlias = NDArray[Any]
QUANTILES = 100
"""Number of intervals between the quantiles that are tried as constant numbers, beside the mean and the median."""
_SAME = 1e-12
"""Scores that differ by less, relative to their size, are equal up to rounding."""


def best_constant(
    output: Output, targets: Sequence[Any], metric: Metric, positive: int = 1
) -> tuple[Any, NDArray[np.float64] | None]:
    """Returns the constant answer that scores best on the targets, and the frequency of each class or label.

    Every class and tag is tried. The label sets that are tried are the most frequent combination and, for each m, the m
    most frequent labels, among which is the best set for F1 (Lipton et al. 2014, arXiv:1402.1892). The numbers that are
    tried are the mean, the median and the quantiles. Of equally good answers the most frequent is returned, then the
    first.

    Args:
        output: The task's output.
        targets: The targets of the training examples.
        metric: The metric to optimise.
        positive: The positive class of binary metrics.

    Returns:
        The answer (for `TokenClasses` the index of one tag), and (K,) frequencies for classes and labels, else None.

    Raises:
        PluginError: The output has no constant answer.
    """
    frequencies: NDArray[np.float64] | None = None
    if isinstance(output, TokenClasses):
        return _best_tag(output, targets, metric), None
    if isinstance(output, Scalar):
        candidates: Sequence[Any] = _numbers(targets)
    elif isinstance(output, Classes):
        counts = np.bincount(targets, minlength=len(output.names))
        frequencies = counts / len(targets)
        candidates = np.argsort(-counts, kind="stable").tolist()
    elif isinstance(output, MultiLabel):
        frequencies = np.mean(targets, axis=0)
        candidates = _label_sets(np.asarray(targets), frequencies)
    else:
        raise PluginError(f"there is no constant answer of {type(output).__name__}")
    # Examples with equal targets are scored once, weighted by how often the target occurs.
    distinct, weights = _distinct(targets)
    scores = []
    for candidate in candidates:
        scored = checked(metric, _answered(output, distinct, candidate, frequencies, positive))
        scores.append(float(resampled(metric, scored, weights)[0]))
    best = candidates[_first_best(scores, metric)]
    return (best if isinstance(output, MultiLabel) else float(best) if isinstance(output, Scalar) else int(best)), (
        frequencies
    )


def constant_predictions(
    output: Output, answer: Any, frequencies: Array | None, ids: Sequence[str], lengths: Sequence[int] = ()
) -> Predictions:
    """Returns the same prediction for each example.

    Args:
        output: The task's output.
        answer: The answer; for `TokenClasses` the index of one tag, which is predicted for every word.
        frequencies: (K,) probabilities of classes or labels; None for numbers and tags.
        ids: The names of the examples.
        lengths: The number of words of each example, for `TokenClasses`.
    """
    if isinstance(output, TokenClasses):
        return Predictions(tuple(ids), objects([(answer,) * length for length in lengths]))
    scores = None if frequencies is None else np.tile(frequencies, (len(ids), 1))
    # `[None]` adds the axis of examples, both to a single class and to a vector of labels.
    return Predictions(tuple(ids), np.repeat(np.asarray(answer)[None], len(ids), axis=0), scores)


def constant_score(
    output: Output, train: Sequence[Any], targets: Sequence[Any], metric: Metric, positive: int = 1
) -> float:
    """Returns the score on `targets` of the constant answer that scores best on the targets `train`.

    Raises:
        PluginError: The output has no constant answer.
    """
    answer, frequencies = best_constant(output, train, metric, positive)
    return score(metric, _answered(output, targets, answer, frequencies, positive))


def _answered(
    output: Output, targets: Sequence[Any], answer: Any, frequencies: Array | None = None, positive: int = 1
) -> Scored:
    lengths = [len(target) for target in targets] if isinstance(output, TokenClasses) else ()
    predictions = constant_predictions(output, answer, frequencies, list(map(str, range(len(targets)))), lengths)
    return scored_of(output, targets, predictions, positive)


def _best_tag(output: TokenClasses, targets: Sequence[Sequence[int]], metric: Metric) -> int:
    counts = Counter(tag for target in targets for tag in target)
    candidates = sorted(range(len(output.names)), key=lambda tag: (-counts[tag], tag))
    distinct, weights = _distinct([tuple(target) for target in targets])
    scores = []
    for tag in candidates:
        scored = checked(metric, _answered(output, distinct, tag))
        scores.append(float(resampled(metric, scored, weights)[0]))
    return candidates[_first_best(scores, metric)]


def _numbers(targets: Sequence[float]) -> list[float]:
    # The mean comes first, so that it is returned if all are equally good: a correlation is 0 for every constant.
    quantiles = np.quantile(targets, np.linspace(0, 1, QUANTILES + 1))
    return [float(np.mean(targets)), float(np.median(targets)), *quantiles.tolist()]


def _label_sets(targets: Array, frequencies: NDArray[np.float64]) -> list[Array]:
    """Returns the label sets to try, (K,) of 0 and 1 each, by their frequency in the targets, then by size."""
    order = np.argsort(-frequencies, kind="stable")
    sets = {
        tuple(np.isin(np.arange(len(order)), order[:count]).astype(int).tolist()) for count in range(len(order) + 1)
    }
    combinations = Counter(map(tuple, targets.tolist()))
    sets.add(min(combinations, key=lambda one: (-combinations[one], one)))
    ranked = sorted(sets, key=lambda one: (-combinations[one], sum(one), one))
    return [np.array(one, dtype=np.int64) for one in ranked]


def _distinct(targets: Sequence[Any]) -> tuple[list[Any], Array]:
    """Returns the distinct targets, and the number of times that each occurs, (1, distinct)."""
    counts = Counter(tuple(target) if isinstance(target, list) else target for target in targets)
    # Sorted, so that the order of the examples changes no sum of floats.
    distinct = sorted(counts)
    return distinct, np.array([[counts[target] for target in distinct]], dtype=np.int64)


def _first_best(scores: Sequence[float], metric: Metric) -> int:
    """Returns the position of the best score; of equal ones, the first."""
    signed = np.asarray(scores) if metric.greater_is_better else -np.asarray(scores)
    best = signed.max()
    return int(np.flatnonzero(signed >= best - _SAME * max(1.0, abs(best)))[0])
