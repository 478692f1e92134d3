"""How many more labelled test examples would tell two settings apart, from their answers to the same examples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tlbench.contracts.metric import Metric
from tlbench.metrics.jackknife import jackknife_values
from tlbench.results.stats import CellPredictions, joint_groups

if TYPE_CHECKING:
    from tlbench.metrics.scored import Floats

POWER_QUANTILE = 0.8416212335729143
"""80% quantile of the normal distribution: a test with so many labels finds the difference in 80% of samples."""
TEST_QUANTILE = 1.959963984540054
RESAMPLES = 2000
LOW, HIGH = 10.0, 90.0
_MOST = 10_000_000
"""A number of labels beyond which nobody would go."""


class DecidingLabels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The number of labelled examples on which a test would tell two settings apart with a probability of 80%."""

    labels: int
    """Number of examples that both answered."""
    split: str
    """The split of these examples."""
    more: int | None
    """How many more are needed; None where the difference is 0 or beyond any number."""
    low: int
    """10% point of the number of more labels, over samples of the examples."""
    high: int | None
    """90% point; None where it has no upper end, because the difference may as well be 0 or have the other sign."""


def deciding_labels(
    metric: Metric, first: CellPredictions, second: CellPredictions, split: str, seed: int = 0
) -> DecidingLabels | None:
    """Returns how many more labels would decide between two settings; None if they answer everything alike.

    A difference of d between mean scores, with a standard deviation of s from one example to the next, needs
    ((z_0.975 + z_0.8) s / d)^2 examples. The interval is of this number over bootstrap samples of the paired values
    (Tukey's pseudo-values, for a metric that is no mean), where a sample with a difference of the other sign, or none,
    counts as infinite. Seeds are averaged over: more labels cannot decide what differs between seeds.

    Args:
        metric: The metric.
        first: The answers of one setting.
        second: Those of the other to the same examples.
        split: Name of the split of the examples.
        seed: Seed of the bootstrap.
    """
    if not first.same_examples(second):
        return None
    first, second = joint_groups((first, second))
    values = _mean_values(metric, first) - _mean_values(metric, second)
    if not np.any(np.abs(values) > 1e-12):
        return None
    # Examples of a group count as one draw: the number of draws that are needed, times the size of a group.
    size = len(first.ids) / len(values)
    sign = 1.0 if values.mean() >= 0 else -1.0
    point = _needed(values[None, :] * sign)[0]
    generator = np.random.default_rng(seed)
    drawn = np.concatenate(
        [
            _needed(sign * values[generator.integers(0, len(values), (100, len(values)))])
            for _ in range(RESAMPLES // 100)
        ]
    )
    low, high = (float(np.quantile(drawn, share / 100, method="inverted_cdf")) for share in (LOW, HIGH))
    count = len(first.ids)
    return DecidingLabels(count, split, _more(point * size, count), _more(low * size, count) or 0,
                          _more(high * size, count))  # fmt: skip


def _mean_values(metric: Metric, predictions: CellPredictions) -> Floats:
    values = [jackknife_values(metric, scored, predictions.groups) for scored in predictions.scored]
    return np.asarray(np.mean(values, axis=0))


def _needed(values: Floats) -> Floats:
    """Returns (R,): the number of examples that each of R samples (R, G) needs; infinite without a positive mean."""
    mean, deviation = values.mean(axis=1), values.std(axis=1, ddof=1)
    factor = TEST_QUANTILE + POWER_QUANTILE
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = (factor * deviation / mean) ** 2
    return np.where(mean > 1e-12, needed, np.inf)


def _more(needed: float, labels: int) -> int | None:
    if not needed < _MOST:
        return None
    return max(0, math.ceil(needed) - labels)
