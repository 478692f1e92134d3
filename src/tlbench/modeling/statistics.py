"""The metrics as functions of sums over examples: one score, or a thousand resamples of it at once. NumPy alone.

All metrics but Spearman's are a function of the sums of a few numbers per example (counts of a confusion matrix,
moments), so that a resample of the examples is a row of weights, and all resamples are one matrix product.
Spearman's takes the ranks of each resample, which weights give as well: no resample is sorted anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tlbench.contracts.errors import Diverged
from tlbench.contracts.metric import METRICS

Floats: TypeAlias = NDArray[np.float64]
Array: TypeAlias = NDArray[np.generic]

_CLASS_METRICS = frozenset({"accuracy", "f1", "f1_macro", "matthews"})
_ROWS_AT_ONCE = 100_000
"""Weights that are held at once: a block fits a processor's cache, and changes no result."""
_FLAT = 1e-13
"""A variance below this share of the whole sample's is what rounding leaves of 0."""


def score(metric: str, targets: ArrayLike, values: ArrayLike, positive: int = 1) -> float:
    """Returns the metric of (N,) values; never NaN. Equal to `tlbench.modeling.metrics.compute` to 1e-9.

    Raises:
        KeyError: There is no such metric.
        ValueError: There are no examples, or the two differ in length.
        Diverged: A value is not finite.
    """
    references, answers = check_pair(metric, targets, values)
    weights = np.ones((1, len(references)))
    return float(resampled(metric, references, answers, weights, positive)[0])


def bootstrap(
    metric: str,
    targets: ArrayLike,
    values: ArrayLike,
    positive: int = 1,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval (low, high) of the metric over examples.

    Equal for equal input: the generator is seeded by `seed` alone.

    Raises:
        KeyError: There is no such metric.
        ValueError: There are no examples, or the two differ in length.
        Diverged: A value is not finite.
    """
    references, answers = check_pair(metric, targets, values)
    n = len(references)
    counts = np.ones(n, dtype=np.int64)
    if metric in _CLASS_METRICS:
        # Examples with the same target and answer are interchangeable: draw how many of each kind there are.
        pairs, counts = np.unique(np.stack([references, answers]), axis=1, return_counts=True)
        references, answers = pairs[0], pairs[1]
    generator = np.random.default_rng(seed)
    parts = [
        resampled(metric, references, answers, generator.multinomial(n, counts / n, size=size), positive)
        for size in _blocks(resamples, len(references))
    ]
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(np.concatenate(parts), [tail, 100 - tail])
    return float(low), float(high)


def draw_weights(n: int, resamples: int, seed: int = 0) -> NDArray[np.uint8]:
    """Returns (resamples, n): how often each example stands in each bootstrap resample; each row sums to n."""
    generator = np.random.default_rng(seed)
    # A byte is enough: none of n >= 256 examples is ever drawn 256 times, and fewer cannot be.
    weights = np.empty((resamples, n), dtype=np.uint8)
    start = 0
    for size in _blocks(resamples, n):
        weights[start : start + size] = generator.multinomial(n, np.full(n, 1 / n), size=size)
        start += size
    return weights


def resampled(metric: str, targets: Array, values: Array, weights: Array, positive: int = 1) -> Floats:
    """Returns (R,): the metric on each resample, given as how often it holds each example, (R, N).

    Raises:
        KeyError: There is no such metric.
    """
    if metric == "spearman":
        return _in_blocks(weights, lambda block: _spearman(targets, values, block.astype(np.float64)))
    parts = statistics(metric, targets, values, positive)
    # Sums of small integers are exact in single precision up to 2 ** 24, and twice as fast.
    single = metric in _CLASS_METRICS and len(targets) < 2**23
    parts = parts.astype(np.float32) if single else parts
    return _in_blocks(weights, lambda block: from_statistics(metric, block.astype(parts.dtype) @ parts))


def statistics(metric: str, targets: ArrayLike, values: ArrayLike, positive: int = 1) -> Floats:
    """Returns (N, m): the numbers of each example whose sums `from_statistics` turns into the metric.

    Raises:
        KeyError: There is no such metric, or it is no function of sums (Spearman's).
    """
    t, v = np.asarray(targets), np.asarray(values)
    one = np.ones(len(t))
    match metric:
        case "accuracy":
            return np.stack([t == v, one], axis=1).astype(np.float64)
        case "f1":
            found, is_positive = v == positive, t == positive
            return np.stack([found & is_positive, found, is_positive], axis=1).astype(np.float64)
        case "f1_macro":
            said, true = _one_hot(t, v)
            return np.concatenate([said * true, said, true], axis=1)
        case "matthews":
            said, true = _one_hot(t, v)
            return np.concatenate([(t == v)[:, None], one[:, None], said, true], axis=1)
        case "pearson":
            x, y = _standardised(t), _standardised(v)
            return np.stack([one, x, y, x * x, y * y, x * y], axis=1)
        case _:
            raise KeyError(metric)


def from_statistics(metric: str, sums: ArrayLike) -> Floats:
    """Returns (...): the metric for each row of sums (..., m) of what `statistics` gives per example; never NaN.

    Raises:
        KeyError: There is no such metric, or it is no function of sums (Spearman's).
    """
    s = np.asarray(sums, dtype=np.float64)
    match metric:
        case "accuracy":
            return _ratio(s[..., 0], s[..., 1])
        case "f1":
            return _ratio(2 * s[..., 0], s[..., 1] + s[..., 2])
        case "f1_macro":
            hit, said, true = np.split(s, 3, axis=-1)
            # A class that stands on neither side is no class of this sample, as in scikit-learn.
            present = (said + true > 0).sum(axis=-1).astype(np.float64)
            return _ratio(_ratio(2 * hit, said + true).sum(axis=-1), present)
        case "matthews":
            right, n = s[..., 0], s[..., 1]
            said, true = np.split(s[..., 2:], 2, axis=-1)
            covariance = right * n - (said * true).sum(axis=-1)
            variances = (n**2 - (said**2).sum(axis=-1)) * (n**2 - (true**2).sum(axis=-1))
            return _ratio(covariance, np.sqrt(np.maximum(variances, 0)))
        case "pearson":
            n, x, y, xx, yy, xy = np.moveaxis(s, -1, 0)
            return _correlation(n, x, y, xx, yy, xy)
        case _:
            raise KeyError(metric)


def check_pair(metric: str, targets: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    """Returns both as (N,) arrays of integers for a metric of classes, of floats for one of numbers.

    Raises:
        KeyError: There is no such metric.
        ValueError: There are no examples, or the two differ in length.
        Diverged: A value is not finite.
    """
    if metric not in METRICS:
        raise KeyError(metric)
    t, v = np.asarray(targets), np.asarray(values)
    if t.ndim != 1 or t.shape != v.shape:
        raise ValueError(f"targets {t.shape} and predictions {v.shape} should both be (N,)")
    if not len(t):
        raise ValueError("there are no examples to score")
    if not np.isfinite(v.astype(np.float64)).all():
        raise Diverged("predictions that are not finite")
    dtype = np.int64 if metric in _CLASS_METRICS else np.float64
    return t.astype(dtype), v.astype(dtype)


def _one_hot(targets: Array, values: Array) -> tuple[Floats, Floats]:
    classes, indices = np.unique(np.concatenate([targets, values]), return_inverse=True)
    hot = np.eye(len(classes))[indices.reshape(-1)]
    return hot[len(targets) :], hot[: len(targets)]


def _standardised(values: Array) -> Floats:
    """Returns the values about their mean in units of their spread, exact zeros where they are constant."""
    x = values.astype(np.float64)
    if np.ptp(x) == 0:
        return np.zeros(len(x))
    x = x / np.abs(x).max()
    x = x - x.mean()
    x = x / np.abs(x).max()
    return np.asarray(x / np.sqrt(np.mean(x * x)))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0)


def _correlation(n: Floats, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    variance_x, variance_y = n * xx - x * x, n * yy - y * y
    varied = (variance_x > _FLAT * n * n) & (variance_y > _FLAT * n * n)
    # Roots before the product: a product of two tiny variances would underflow.
    spread = np.sqrt(np.where(varied, variance_x, 1)) * np.sqrt(np.where(varied, variance_y, 1))
    return np.clip(np.where(varied, (n * xy - x * y) / spread, 0.0), -1, 1)


def _spearman(targets: Array, values: Array, weights: Floats) -> Floats:
    n = weights.sum(axis=1)
    # Mid-ranks average (n + 1) / 2 whatever the ties, so that this centres and scales both sides.
    x = (_ranks(targets, weights) - (n[:, None] + 1) / 2) / n[:, None]
    y = (_ranks(values, weights) - (n[:, None] + 1) / 2) / n[:, None]
    sums = [(weights * part).sum(axis=1) for part in (x, y, x * x, y * y, x * y)]
    return _correlation(n, *sums)


def _ranks(values: Array, weights: Floats) -> Floats:
    """Returns (R, N): the mean rank that each value has in each resample, ties sharing theirs."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.add.reduceat(weights[:, order], starts, axis=1)
    mean_ranks = np.cumsum(sizes, axis=1) - sizes + (sizes + 1) / 2
    return np.asarray(mean_ranks[:, group])


def _in_blocks(weights: Array, formula: Callable[[Array], Floats]) -> Floats:
    start, parts = 0, []
    for size in _blocks(*weights.shape):
        parts.append(formula(weights[start : start + size]))
        start += size
    return np.concatenate(parts)


def _blocks(rows: int, width: int) -> list[int]:
    step = max(1, min(rows, _ROWS_AT_ONCE // max(width, 1)))
    return [min(step, rows - start) for start in range(0, rows, step)]
