"""Intervals of single fits: that of a score at a bound is no point, and how often intervals hold the true score."""

import numpy as np
import pytest
from scipy.stats import binom

from tlbench.metrics import METRICS
from tlbench.metrics.at_bounds import effective_number, interval_at_bound
from tlbench.metrics.resampling import bootstrap
from tlbench.metrics.scored import Scored

SIZES = (20, 50, 100, 200, 500, 1000)
SHARES = (0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 1.0)


def sample(n, right):
    """Returns predictions of n examples of two classes, of which the first `right` are right."""
    targets = np.arange(n) % 2
    return Scored(targets, np.where(np.arange(n) < right, targets, 1 - targets))


def coverage(n, share, interval):
    """Returns the exact probability that the interval of n examples holds the share of which each is right."""
    likely = [(right, float(binom.pmf(right, n, share))) for right in range(n + 1)]
    held = 0.0
    for right, probability in likely:
        # What is rarer changes the sum by less than 0.001 altogether.
        if probability > 1e-6:
            low, high = interval(n, right)
            held += probability * (low - 1e-12 <= share <= high + 1e-12)
    return held


@pytest.fixture(scope="module")
def intervals():
    known = {}

    def interval(n, right):
        if (n, right) not in known:
            known[n, right] = bootstrap("accuracy", sample(n, right))
        return known[n, right]

    return interval


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "matthews"])
def test_a_fit_that_is_right_on_all_examples_is_not_certain(name):
    low, high = bootstrap(METRICS[name], sample(60, 60))
    span = METRICS[name].highest - METRICS[name].lowest
    assert high == 1
    assert low == pytest.approx(1 - span * (1 - 0.05 ** (1 / 60)))


def test_a_fit_that_is_wrong_on_all_examples_is_not_certain_either():
    assert bootstrap("accuracy", sample(60, 0)) == pytest.approx((0, 1 - 0.05 ** (1 / 60)))


def test_one_error_is_left_to_the_resamples():
    low, high = bootstrap("accuracy", sample(60, 59))
    assert 0.9 < low < 59 / 60 < high == 1


def test_metrics_without_two_bounds_and_scores_between_them_stay_points():
    exact = Scored(np.array([0.5, 1.5, 2.5]), np.array([0.5, 1.5, 2.5]))
    assert bootstrap("rmse", exact) == (0, 0)
    # No correlation is between the bounds of a correlation.
    assert bootstrap("pearson", Scored(np.array([0.0, 1.0, 2.0]), np.ones(3))) == (0, 0)


def test_groups_count_by_their_sizes():
    right = sample(60, 60)
    equal, unequal = np.repeat(np.arange(12), 5), np.repeat(np.arange(12), [49, *[1] * 11])
    assert effective_number(equal) == pytest.approx(12)
    assert 1 < effective_number(unequal) < 2
    ends = [bootstrap("accuracy", right, groups=groups)[0] for groups in (None, equal, unequal)]
    assert ends[0] > ends[1] > ends[2]
    assert ends[1] == pytest.approx(interval_at_bound(1.0, 0.0, 1.0, 12)[0])


def test_intervals_of_single_fits_hold_the_true_share(intervals):
    # docs/statistics.md has these figures. They are exact but for the seed of the resamples, which is fixed.
    held = {(n, share): coverage(n, share, intervals) for n in SIZES for share in SHARES}
    assert min(held.values()) > 0.92, min(held, key=held.get)
    assert np.mean(list(held.values())) > 0.97
    # Where most samples have no error, nearly all intervals hold the share.
    assert all(one > 0.95 for (n, share), one in held.items() if n * (1 - share) <= 1)


def test_points_would_not_hold_it():
    def percentiles(n, right):
        errors = np.random.default_rng(0).binomial(n, 1 - right / n, size=1000)
        return tuple(np.percentile(1 - errors / n, [2.5, 97.5]))

    assert coverage(20, 0.95, percentiles) < 0.7
    assert coverage(100, 0.995, percentiles) < 0.5
