"""The score of a metric, its bootstrap interval, and resamples for paired tests.

Most metrics are a function of the sums of a few numbers per example (counts of a confusion matrix, moments, n-grams),
so that a resample of the examples is a row of weights, and all resamples are one matrix product. Spearman's correlation
and the area under a curve take the ranks of each resample, which weights give as well: no resample is sorted anew.
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
from tlbench.metrics import named
from tlbench.metrics.builtin import BuiltIn
from tlbench.metrics.formula import Sums
from tlbench.metrics.scored import Array, Floats, Scored, checked

_ROWS_AT_ONCE = 100_000
"""Weights that are held at once: a block fits a processor's cache, and changes no result."""
_KEPT_BYTES = 2**25


def score(metric: str | Metric, scored: Scored) -> float:
    """Returns the metric, given itself or as the name of one of tlbench's own; always finite.

    Raises:
        KeyError: There is no such metric.
        ValueError: There are no examples, or they are not what the metric scores.
        Diverged: A predicted value is not finite, or so large that one of tlbench's own metrics is not.
        PluginError: A plugin's metric raised, or gave something else than a finite number.
    """
    metric = named(metric)
    return float(resampled(metric, checked(metric, scored), np.ones((1, len(scored))))[0])


def bootstrap(
    metric: str | Metric, scored: Scored, resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval (low, high) of the metric over examples.

    Equal for equal input: the generator is seeded by `seed` alone.

    Raises:
        KeyError, ValueError, Diverged, PluginError: As `score`, of the metric on any of the resamples.
    """
    metric = named(metric)
    scored = checked(metric, scored)
    n = len(scored)
    if is_of_pairs(metric, scored):
        # Draw how many of each pair there are.
        pairs, counts = np.unique(np.stack([scored.targets, scored.values]), axis=1, return_counts=True)
        scored = Scored(pairs[0], pairs[1], positive=scored.positive)
        drawn: Array = np.random.default_rng(seed).multinomial(n, counts / n, size=resamples)
    else:
        drawn = (_kept_weights if n * resamples <= _KEPT_BYTES else draw_weights)(n, resamples, seed)
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(resampled(metric, scored, drawn), [tail, 100 - tail])
    return float(low), float(high)


def is_of_pairs(metric: Metric, scored: Scored) -> bool:
    """Says whether examples with the same target and answer are interchangeable, so that pairs can be drawn instead.

    They are those that `checked` gives.
    """
    return scored.values.dtype == np.int64 and scored.kind == "numbers" and not metric.reads_scores


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


@lru_cache(maxsize=1)
def _kept_weights(n: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    # Drawing them takes most of the time, and every seed and metric of a test split has the same.
    return draw_weights(n, resamples, seed)


def resampled(metric: str | Metric, scored: Scored, weights: Array) -> Floats:
    """Returns (R,): the metric on each resample, given as how often it holds each example, (R, N).

    What is undefined counts as the metric's worst value, where it has one.

    Raises:
        KeyError: There is no such metric.
        Diverged: One of tlbench's own metrics that has no worst value is not finite: the predictions are too large.
        PluginError: A plugin's metric raised, or gave something else than a finite number for each resample.
    """
    return resampled_alike(metric, [scored], weights)[0]


def resampled_alike(metric: str | Metric, answers: Sequence[Scored], weights: Array) -> list[Floats]:
    """Returns (R,) for each of several answers to the same examples: what `resampled` gives of it, to the bit.

    Raises:
        KeyError, Diverged, PluginError: As `resampled`.
    """
    metric = named(metric)
    start, blocks = 0, []
    with _blaming(metric):
        resamplers = _resamplers(metric, answers)
        for size in _blocks(*weights.shape):
            blocks.append([_checked(metric, part, size) for part in resamplers(weights[start : start + size])])
            start += size
    return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


def statistics(metric: str | Metric, scored: Scored) -> Floats:
    """Returns (N, m): the numbers of each example whose sums `from_statistics` turns into the metric.

    Raises:
        KeyError: There is no such metric, or it is no function of sums (Spearman's, the area under a curve).
    """
    return named(metric).parts(scored)


def from_statistics(metric: str | Metric, sums: ArrayLike) -> Floats:
    """Returns (...): the metric for each row of sums (..., m) of what `statistics` gives per example; never NaN.

    Raises:
        KeyError: There is no such metric, or it is no function of sums (Spearman's, the area under a curve).
    """
    return named(metric).value(np.asarray(sums, dtype=np.float64))


def _resamplers(metric: Metric, answers: Sequence[Scored]) -> Callable[[Array], list[Floats]]:
    """Returns a function from weights (R, N) to the metric (R,) of each of the answers."""
    formula = metric.formula if isinstance(metric, BuiltIn) else None
    if isinstance(formula, Sums) and formula.counts:
        parts = [metric.parts(scored) for scored in answers]
        # As sums are exact, all at once: making the weights floats takes longer than the sums do.
        ends = np.cumsum([one.shape[1] for one in parts])[:-1].tolist()
        of_all = weighted_sums(np.concatenate(parts, axis=1), counts=True)
        return lambda weights: [from_statistics(metric, sums) for sums in np.split(of_all(weights), ends, axis=1)]
    each = [metric.resampler(scored) for scored in answers]
    return lambda weights: [one(weights) for one in each]


def _checked(metric: Metric, values: Any, size: int) -> Floats:
    found = np.asarray(values)
    if found.dtype.kind not in "biuf" or found.shape != (size,):
        raise PluginError(
            f"the metric {metric.name} gave {found.dtype} {found.shape} where ({size},) real numbers are asked for:"
            " one for each resample"
        )
    found = found.astype(np.float64, copy=False)
    finite = np.isfinite(found)
    if metric.worst is not None:
        return np.where(finite, found, metric.worst)
    if not finite.all():
        if isinstance(metric, BuiltIn):
            raise Diverged(f"predictions so large that their {metric.label} is not finite")
        raise PluginError(
            f"the metric {metric.name} gave {found[~finite][0]}: return finite numbers, or say by `worst` what an"
            " undefined score counts as"
        )
    return found


@contextmanager
def _blaming(metric: Metric) -> Iterator[None]:
    """Names a plugin's metric in whatever its code raises."""
    try:
        yield
    except (PluginError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(metric, BuiltIn):
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        raise PluginError(f"the metric {metric.name} raised {what}") from error


def _blocks(rows: int, width: int) -> list[int]:
    step = max(1, min(rows, _ROWS_AT_ONCE // max(width, 1)))
    return [min(step, rows - start) for start in range(0, rows, step)]
