"""The optimism of a selection: the winner's validation score minus its test score.

A search keeps the trial with the best validation score, and the best of several noisy scores is too good on average.
The test score has no such bias. The optimism is the recorded `validation` (the score of the winner at the first seed)
minus the mean test score over seeds. Apart from the selection, it reflects every other difference between the splits.

The variance of the optimism has up to three parts, which add up, since validation and test examples are independent:

- Test examples: the mean variance of single fits, from their bootstrap intervals.
- Validation examples: the score is taken to vary from one example to the next as much as on the test split, so that
  this part is that of the test examples times n_test / n_validation. A record that is older than
  `FitResult.validation_examples` does not have this part, so that its interval is too narrow.
- Seeds, if there are three or more: Var(V) + Var(T) / S - 2 Cov(V, T) / S, where V is the validation score at one seed
  and T the test score, estimated from the S final fits. If this part dominates, the interval is too wide, since the
  first seed is one of those that the variance is estimated from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from tlbench.contracts.record import Record

if TYPE_CHECKING:
    from tlbench.metrics.scored import Floats

_QUANTILE = 1.959963984540054
"""97.5% quantile of the normal distribution: half the width of a recorded interval, in standard errors."""
_FEWEST_SEEDS = 3
_NODES = 129


class Optimism(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, gc=False):
    """The winner's validation score minus the mean test score, with the parts of its variance."""

    value: float
    """In units of the metric. Positive values are optimistic; negative ones are if the metric is better when lower."""
    examples: float
    """Variance from the test examples and, if `counts_validation`, from the validation examples."""
    between_seeds: float
    """Variance from the seeds; 0 with fewer than three seeds."""
    seeds: int
    counts_validation: bool = False

    @property
    def is_uncertain(self) -> bool:
        """Whether any source of variance is known; otherwise there is no interval."""
        return self.examples > 0 or self.between_seeds > 0


def optimism(record: Record) -> Optimism | None:
    """Returns the optimism of a cell's selection; None without a validation or test score, or if it is not finite."""
    try:
        found = _optimism(record)
    except (OverflowError, ValueError):
        # A record may come from someone else and have numbers whose sums or squares overflow.
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
    """Returns the 95% interval: for the strategy if there are three seeds or more, else for the fitted models."""
    from tlbench.results.significance.intervals import MANY, half_width

    half = half_width(one.examples, MANY, one.between_seeds, max(1, one.seeds - 1))
    return one.value - half, one.value + half


def optimism_column(name: str, cells: Sequence[Optimism | None]) -> list[float | None]:
    """Returns the column `optimism`, `optimism_low` or `optimism_high`; None for cells whose value is unknown."""
    sign = {"optimism_low": -1, "optimism": 0, "optimism_high": 1}[name]
    halves = _half_widths(cells) if sign else [0.0] * len(cells)
    ends = zip(cells, halves, strict=True)
    return [None if one is None or (sign and not one.is_uncertain) else one.value + sign * half for one, half in ends]


def _half_widths(cells: Sequence[Optimism | None]) -> list[float]:
    """Returns half the width of each interval, to four digits; 0 if there is no interval."""
    import numpy as np

    halves = [0.0] * len(cells)
    for i, one in enumerate(cells):
        if one is not None and (total := one.examples + one.between_seeds) > 0:
            shares, widths = _relative_widths(max(1, one.seeds - 1))
            halves[i] = math.sqrt(total) * float(np.interp(one.between_seeds / total, shares, widths))
    return halves


# Relative to the standard error, the width depends only on the degrees of freedom and on the seeds' share of the
# variance: computed once for each number of seeds and interpolated, since tables have thousands of rows.
@lru_cache(maxsize=64)
def _relative_widths(df: int) -> tuple[Floats, Floats]:
    """Returns shares of the variance that come from the seeds, and half the width of the interval with each."""
    import numpy as np

    from tlbench.results.significance.intervals import MANY, half_width

    shares = np.linspace(0, 1, _NODES) ** 2
    return shares, np.array([half_width(1 - share, MANY, share, df) for share in shares])


def _covariance(a: Sequence[float], b: Sequence[float]) -> float:
    mean_a, mean_b = math.fsum(a) / len(a), math.fsum(b) / len(b)
    return math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / (len(a) - 1)
