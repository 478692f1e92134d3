"""The score of a metric, its bootstrap interval, and resamples for paired tests.

A bootstrap resample is represented by weights: how often it contains each example. Most metrics are a function of sums
over examples (counts of a confusion matrix, moments, n-grams), so that all resamples together are one matrix product of
weights and per-example statistics. Spearman's correlation and ROC AUC need the ranks within each resample, which are
cumulative sums of the weights in the order of the whole sample, so that no resample is sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tlbench.contracts.errors import Diverged, PluginError
from tlbench.contracts.metric import Metric, weighted_sums
from tlbench.metrics.at_bounds import effective_number, widened_at_bound
from tlbench.metrics.builtin import BuiltIn, named
from tlbench.metrics.formula import Sums
from tlbench.metrics.scored import Array, Floats, Scored, checked

_ROWS_AT_ONCE = 100_000
"""The maximum number of weights in one block of resamples, which fits a processor's cache; it changes no result."""
_MAX_CACHED_BYTES = 2**25
"""The maximum size of a matrix of bootstrap weights that is cached."""


def score(metric: str | Metric, scored: Scored) -> float:
    """Returns the score of a metric, given as an object or by the name of one of tlbench's own; always finite.

    Raises:
        KeyError: There is no such metric.
        ValueError: There are no examples, or the metric does not score predictions of this form.
        Diverged: A prediction is not finite, or so large that the score of one of tlbench's own metrics is not.
        PluginError: A plugin's metric raised, or returned something else than a finite number.
    """
    metric = named(metric)
    # The sample itself is the resample in which each weight is 1, so score and interval come from the same formula.
    return float(resampled(metric, checked(metric, scored), np.ones((1, len(scored))))[0])


def bootstrap(
    metric: str | Metric,
    scored: Scored,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    groups: Array | None = None,
) -> tuple[float, float]:
    """Returns the percentile bootstrap confidence interval (low, high) of the metric, resampling examples.

    If all resamples are at one bound of the metric, the interval is that of a share of 0 or 1 (`at_bounds.py`).
    Deterministic: the random generator depends on `seed` alone. Efron 1979, doi:10.1214/aos/1176344552.

    Args:
        metric: The metric.
        scored: The predictions.
        resamples: Number of resamples.
        seed: Seed of the random generator.
        confidence: Share of resamples within the interval.
        groups: (N,) numbers from 0 of groups that are resampled as wholes; None to resample examples.

    Raises:
        KeyError, ValueError, Diverged, PluginError: As `score`, for any of the resamples.
    """
    metric = named(metric)
    scored = checked(metric, scored)
    n = len(scored)
    if groups is not None:
        weights: Array = draw_weights(int(groups.max()) + 1, resamples, seed)[:, groups]
    elif is_of_pairs(metric, scored):
        # Examples with equal target and prediction are exchangeable, so drawing n examples is one multinomial draw of
        # the few distinct pairs: exact, and independent of n in cost.
        pairs, counts = np.unique(np.stack([scored.targets, scored.values]), axis=1, return_counts=True)
        scored = Scored(pairs[0], pairs[1], positive=scored.positive)
        weights = np.random.default_rng(seed).multinomial(n, counts / n, size=resamples)
    else:
        weights = (_cached_weights if n * resamples <= _MAX_CACHED_BYTES else draw_weights)(n, resamples, seed)
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(resampled(metric, scored, weights), [tail, 100 - tail])
    count = n if groups is None else effective_number(groups)
    return widened_at_bound(metric, (float(low), float(high)), count, confidence)


def is_of_pairs(metric: Metric, scored: Scored) -> bool:
    """Returns whether the metric depends only on the counts of distinct (target, prediction) pairs of class indices.

    Args:
        metric: The metric.
        scored: Targets and predictions as returned by `checked`.
    """
    return scored.values.dtype == np.int64 and scored.kind == "numbers" and not metric.reads_scores


def draw_weights(n: int, resamples: int, seed: int = 0) -> NDArray[np.uint8]:
    """Returns weights (resamples, n): the count of each example in each bootstrap resample; each row sums to n."""
    generator = np.random.default_rng(seed)
    # A byte is enough: with n < 256 no count can exceed 255, and with more examples a count of 256 has a negligible
    # probability (below 1e-300).
    weights = np.empty((resamples, n), dtype=np.uint8)
    start = 0
    for size in _blocks(resamples, n):
        weights[start : start + size] = generator.multinomial(n, np.full(n, 1 / n), size=size)
        start += size
    return weights


@lru_cache(maxsize=1)
def _cached_weights(n: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    # Drawing the weights takes most of the time of an interval, and all seeds and metrics of a test split share them.
    return draw_weights(n, resamples, seed)


def resampled(metric: str | Metric, scored: Scored, weights: Array) -> Floats:
    """Returns the metric (R,) of R resamples, given as weights (R, N): the count of each example in each resample.

    An undefined score is replaced by the metric's `worst`, if it has one.

    Raises:
        KeyError: There is no such metric.
        Diverged: One of tlbench's own metrics without a `worst` is not finite, because predictions are too large.
        PluginError: A plugin's metric raised, or returned something else than a finite number for each resample.
    """
    return resampled_alike(metric, [scored], weights)[0]


def resampled_alike(metric: str | Metric, samples: Sequence[Scored], weights: Array) -> list[Floats]:
    """Returns the metric (R,) for each of several predictions of the same examples, bit-equal to `resampled` of each.

    Raises:
        KeyError, Diverged, PluginError: As `resampled`.
    """
    metric = named(metric)
    start, blocks = 0, []
    with _naming_plugin_metric(metric):
        resamplers = _resamplers(metric, samples)
        for size in _blocks(*weights.shape):
            blocks.append([_finite_scores(metric, part, size) for part in resamplers(weights[start : start + size])])
            start += size
    return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


def from_sums(metric: Metric, sums: Floats) -> Floats:
    """Returns the metric (R,) for rows of sums (R, m) of its statistics, with undefined scores replaced by `worst`.

    Raises:
        Diverged, PluginError: As `resampled`.
    """
    with _naming_plugin_metric(metric):
        return _finite_scores(metric, metric.value(sums), len(sums))


def statistics(metric: str | Metric, scored: Scored) -> Floats:
    """Returns the statistics (N, m) of each example, from whose sums `from_statistics` computes the metric.

    Raises:
        KeyError: There is no such metric, or it is not a function of sums (Spearman's correlation, ROC AUC).
    """
    return named(metric).parts(scored)


def from_statistics(metric: str | Metric, sums: ArrayLike) -> Floats:
    """Returns the metric (...) for each row of sums (..., m) of `statistics`; tlbench's own metrics never return NaN.

    Raises:
        KeyError: There is no such metric, or it is not a function of sums (Spearman's correlation, ROC AUC).
    """
    return named(metric).value(np.asarray(sums, dtype=np.float64))


def _resamplers(metric: Metric, samples: Sequence[Scored]) -> Callable[[Array], list[Floats]]:
    """Returns a function from weights (R, N) to a list with the metric (R,) of each sample."""
    formula = metric.formula if isinstance(metric, BuiltIn) else None
    if isinstance(formula, Sums) and formula.counts:
        parts = [metric.parts(scored) for scored in samples]
        # One product for all samples, because converting the weights to floats costs more than the product. Only for
        # integer statistics: their sums are exact, so stacking the columns cannot change a bit of the result.
        ends = np.cumsum([one.shape[1] for one in parts])[:-1].tolist()
        of_all = weighted_sums(np.concatenate(parts, axis=1), counts=True)
        return lambda weights: [from_statistics(metric, sums) for sums in np.split(of_all(weights), ends, axis=1)]
    each = [metric.resampler(scored) for scored in samples]
    return lambda weights: [one(weights) for one in each]


def _finite_scores(metric: Metric, values: Any, size: int) -> Floats:
    scores = np.asarray(values)
    if scores.dtype.kind not in "biuf" or scores.shape != (size,):
        raise PluginError(
            f"the metric {metric.name} gave {scores.dtype} {scores.shape} where ({size},) real numbers are expected:"
            " return one for each resample"
        )
    scores = scores.astype(np.float64, copy=False)
    finite = np.isfinite(scores)
    if metric.worst is not None:
        return np.where(finite, scores, metric.worst)
    if not finite.all():
        if isinstance(metric, BuiltIn):
            # A built-in formula is trusted, so the cause is the predictions: the fit diverged, not the plugin.
            raise Diverged(f"predictions so large that their {metric.label} is not finite")
        raise PluginError(
            f"the metric {metric.name} gave {scores[~finite][0]}: return finite numbers, or say by `worst` what an"
            " undefined score counts as"
        )
    return scores


@contextmanager
def _naming_plugin_metric(metric: Metric) -> Iterator[None]:
    """Converts any exception of a plugin's metric to a `PluginError` that names the metric."""
    try:
        yield
    # Running out of memory is not the plugin's mistake; the runner reports it under its own name.
    except (PluginError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(metric, BuiltIn):
            raise
        message = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        raise PluginError(f"the metric {metric.name} raised {message}") from error


def _blocks(rows: int, width: int) -> list[int]:
    """Returns the number of rows in each block, so that a block has at most `_ROWS_AT_ONCE` elements."""
    step = max(1, min(rows, _ROWS_AT_ONCE // max(width, 1)))
    return [min(step, rows - start) for start in range(0, rows, step)]
