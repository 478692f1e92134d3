"""Tests of practical equality and of the smallest difference that a table can find."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.results.significance.test_all_pairs import cells
from tests.results.significance.test_components import table
from tlbench.results.significance.all_pairs import compare_pairs
from tlbench.results.significance.components import components_of
from tlbench.results.significance.practical import Posterior, against_best, detectable, practically_equal


def test_the_probability_is_that_of_a_t_distribution_within_the_margin():
    posterior = Posterior(-0.012, 0.008, 5.5)
    distribution = stats.t(5.5, loc=-0.012, scale=0.008)
    wanted = distribution.cdf(0.01) - distribution.cdf(-0.01)
    assert practically_equal([posterior], [0.01])[0] == pytest.approx(wanted, rel=1e-9)
    assert practically_equal([posterior, Posterior(0.012, 0.008, 5.5)], [0.01, 0.01])[1] == pytest.approx(wanted)


def test_without_an_error_the_difference_is_known():
    known = [Posterior(0.0, 0.0, 9.0), Posterior(0.02, 0.0, 9.0)]
    assert practically_equal(known, [0.01, 0.01]).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("seeds", "spread"), [(3, 0.02), (5, 0.005)])
def test_the_probability_is_calibrated(seeds, spread):
    generator = np.random.default_rng(seeds)
    posteriors, is_within = [], []
    for draw in range(400):
        # A flat prior, wider than what the data leave open.
        true = generator.uniform(-0.15, 0.15)
        shared = generator.normal(0, 0.3, (1, 200))
        pair = [
            components_of(0.8 + shared + table(seeds, 200, spread, 0.2, 0.2, draw * 2 + side) + true * (side == 0))
            for side in (0, 1)
        ]
        posteriors.append(against_best(pair, best=1)[0])
        is_within.append(abs(true) < 0.03)
    p = practically_equal(posteriors, [0.03] * len(posteriors))
    surprise, spread = np.array(is_within) - p, p * (1 - p)
    # Sums over independent events of these probabilities: 3.3 standard deviations hold 99.9% of them.
    assert abs(surprise.sum()) < 3.3 * np.sqrt(spread.sum())
    # High probabilities come true no less often than they say, and low ones no more often.
    slope = p - p.mean()
    assert abs((surprise * slope).sum()) < 3.3 * np.sqrt((spread * slope**2).sum())


def test_the_best_row_has_no_difference_from_itself():
    found = against_best(cells(3, best=0.1), best=0)
    assert found[0] is None
    assert all(one.difference < 0 < one.error for one in found[1:])


@pytest.mark.parametrize("count", [2, 5])
def test_a_difference_of_the_detectable_size_is_found_in_about_80_percent_of_tables(count):
    typical = float(np.median([detectable(compare_pairs(cells(count, seeds=5, draw=draw))) for draw in range(100)]))
    found = sum(
        bool(compare_pairs(cells(count, seeds=5, draw=1000 + draw, best=typical)).is_significant()[0, 1])
        for draw in range(200)
    )
    # The exact 99.9% interval of 80% in 200 draws is 70 to 88.5%.
    assert 140 <= found <= 177


def test_cells_that_neither_seeds_nor_examples_tell_apart_leave_nothing_to_detect():
    same = components_of(np.repeat(table(1, 50, 0.0, 0.3, 0.0), 3, axis=0))
    assert detectable(compare_pairs([same] * 3)) is None
