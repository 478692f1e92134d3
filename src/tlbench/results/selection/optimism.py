"""The optimism of a selection: the winner's validation score minus its test score.

A search keeps the trial with the best validation score, and the best of several noisy scores is too good on average;
the test split was not looked at. The difference is that of the recorded `validation` (the winner at the first seed) and
the mean test score over seeds. Besides the selection it holds every other difference between the two splits.

What its variance counts: the test examples, as the mean variance of single fits (from their bootstrap intervals), and
from three seeds on the seeds: with V the validation score at one seed and T the test scores, Var(V) + Var(T) / S -
2 Cov(V, T) / S, estimated from the S final fits. The validation examples count as if the score varied as much from one
to the next as it does on the test examples, so that their variance is that of the test times the ratio of the sizes; a
record that is older than `FitResult.validation_examples` leaves them out, and its interval is too narrow. Validation
and test examples are independent, so that their variances add. Where seeds dominate, the interval is too wide: the
first seed is one of those that the variance is estimated from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from tlbench.contracts.record import Record

_QUANTILE = 1.959963984540054
"""97.5% quantile of the normal distribution: the recorded intervals reach so many standard errors on either side."""
_FEWEST_SEEDS = 3
_NODES = 129


class Optimism(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, gc=False):
    """The winner's validation score minus the mean test score, with the parts of its variance."""

    value: float
    """In units of the metric. Positive is optimistic, or negative where lower is better."""
    examples: float
    """Variance from the test examples and, if `counts_validation`, from the validation examples."""
    between_seeds: float
    """Variance from the seeds; 0 with fewer than three seeds."""
    seeds: int
    counts_validation: bool = False

    @property
    def is_uncertain(self) -> bool:
        """Whether a source of variance is known, without which there is no interval."""
        return self.examples > 0 or self.between_seeds > 0


def optimism(record: Record) -> Optimism | None:
    """Returns the optimism of a cell's selection; None without a validation or test score, or beyond floats."""
    try:
        found = _optimism(record)
    except (OverflowError, ValueError):
        # A record may come from someone else, with numbers whose sums or squares are no floats.
        return None
    if found is None or not all(map(math.isfinite, (found.value, found.examples, found.between_seeds))):
        return None
    return found


def _optimism(record: Record) -> Optimism | None:
    metric = record.metrics[0] if record.metrics else ""
    tests = {score.seed: score for score in record.scores if score.metric == metric and score.slice is None}
    if record.validation is None or not tests:
        return None
    values = [score.value for score in tests.values()]
    errors = [(score.high - score.low) / (2 * _QUANTILE) for score in tests.values()]
    count = len(values)
    examples = math.fsum(error**2 for error in errors) / count
    size = max((fit.validation_examples for fit in (*record.trials, *record.fits)), default=0)
    if size > 0:
        examples *= 1 + max(score.n for score in tests.values()) / size
    validated = {fit.seed: fit.validation for fit in record.fits if fit.seed in tests and fit.validation is not None}
    between = 0.0
    if count >= _FEWEST_SEEDS:
        between = _covariance(values, values) / count
        # A winner that was fitted on the validation split too has no validation score at other seeds.
        if len(validated) == count:
            scores, paired = [*validated.values()], [tests[seed].value for seed in validated]
            between += _covariance(scores, scores) - 2 * _covariance(scores, paired) / count
    return Optimism(record.validation - math.fsum(values) / count, examples, max(0.0, between), count, size > 0)


def interval(one: Optimism) -> tuple[float, float]:
    """Returns the 95% interval: of the strategy from three seeds on, else of the fitted models."""
    from tlbench.results.significance.intervals import MANY, half_width

    half = half_width(one.examples, MANY, one.between_seeds, max(1, one.seeds - 1))
    return one.value - half, one.value + half


def optimism_column(name: str, cells: Sequence[Optimism | None]) -> list[float | None]:
    """Returns the column `optimism` or that of an end, `optimism_low` or `optimism_high`; None where it is unknown."""
    sign = {"optimism_low": -1, "optimism": 0, "optimism_high": 1}[name]
    halves = _half_widths(cells) if sign else [0.0] * len(cells)
    ends = zip(cells, halves, strict=True)
    return [None if one is None or (sign and not one.is_uncertain) else one.value + sign * half for one, half in ends]


def _half_widths(cells: Sequence[Optimism | None]) -> list[float]:
    """Returns half the width of each interval, to four digits; 0 where there is none."""
    import numpy as np

    from tlbench.results.significance.intervals import MANY, half_width

    halves = [0.0] * len(cells)
    shares = np.linspace(0, 1, _NODES) ** 2
    widths = {}
    for i, one in enumerate(cells):
        if one is None:
            continue
        df, total = max(1, one.seeds - 1), one.examples + one.between_seeds
        # The width depends on the degrees of freedom and on the share of the seeds in the variance: interpolated, since
        # thousands of rows have few different numbers of seeds.
        if df not in widths:
            widths[df] = np.array([half_width(1 - share, MANY, share, df) for share in shares])
        if total > 0:
            halves[i] = math.sqrt(total) * float(np.interp(one.between_seeds / total, shares, widths[df]))
    return halves


def _covariance(a: Sequence[float], b: Sequence[float]) -> float:
    mean_a, mean_b = math.fsum(a) / len(a), math.fsum(b) / len(b)
    return math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / (len(a) - 1)
