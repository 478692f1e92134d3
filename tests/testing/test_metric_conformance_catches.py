"""MetricConformance catches what would make a score and its interval disagree."""

from __future__ import annotations

import numpy as np
import pytest

from tests.metrics.faulty_metrics import Hits
from tlbench.testing.conformance import MetricConformance


class Overflowing(Hits):
    """Counts in single bytes."""

    def resampler(self, scored):
        hit = scored.targets == scored.values

        def resampled(weights):
            drawn = weights.astype(np.uint64).astype(np.uint8)
            return (drawn * hit).sum(axis=1) / drawn.sum(axis=1, dtype=np.uint8)

        return resampled


class Counting(Hits):
    """Divides by the number of examples that it sees, whatever their weights."""

    def resampler(self, scored):
        hit = scored.targets == scored.values
        return lambda weights: weights @ hit / len(scored)


def check(metric):
    return type("Check", (MetricConformance,), {"metric": metric})()


def test_a_sound_metric_passes():
    check(Hits()).test_many_examples_are_summed_as_few_are()
    check(Hits()).test_examples_that_are_alike_are_interchangeable()


def test_sums_in_a_narrow_type_are_caught():
    with pytest.raises(AssertionError):
        check(Overflowing()).test_many_examples_are_summed_as_few_are()


def test_a_metric_to_which_weights_are_no_examples_is_caught():
    with pytest.raises(AssertionError):
        check(Counting()).test_examples_that_are_alike_are_interchangeable()
