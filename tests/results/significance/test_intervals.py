"""Intervals of a strategy's expected score."""

from __future__ import annotations

import numpy as np
import pytest

from tests.results.significance.test_components import table
from tlbench.metrics import METRICS
from tlbench.results.significance.components import components_of
from tlbench.results.significance.intervals import interval


@pytest.mark.parametrize(("seeds", "of_seed", "of_example"), [(3, 1.0, 0.1), (3, 0.05, 2.0), (3, 0.3, 4.0), (10, 1, 1)])
def test_the_interval_holds_the_expected_score_in_about_95_percent(seeds, of_seed, of_example):
    covered = 0
    for draw in range(400):
        low, high = interval(components_of(table(seeds, 100, of_seed, of_example, 0.5, draw)), METRICS["mae"])
        covered += low <= 0 <= high
    # The exact 99.9% interval of 95% in 400 draws begins at 90.6%; with few seeds the interval is a little wide.
    assert 0.906 <= covered / 400 <= 0.995


def test_few_groups_are_less_certain():
    covered = 0
    for draw in range(400):
        low, high = interval(components_of(table(3, 5, 0.05, 2.0, 0.5, draw)), METRICS["mae"])
        covered += low <= 0 <= high
    # A normal quantile would cover 83 to 88%.
    assert 0.906 <= covered / 400 <= 0.99


def test_more_seeds_make_it_narrower():
    widths = []
    for seeds in (3, 5, 10, 30):
        # Far from 0, the bound of this metric, at which an interval ends.
        low, high = interval(components_of(10 + table(seeds, 400, 0.5, 0.2, 0.2)), METRICS["mae"])
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


def test_it_stays_within_the_bounds_of_the_metric():
    generator = np.random.default_rng(0)
    values = (generator.random((3, 40)) < 0.97).astype(float)
    low, high = interval(components_of(values), METRICS["accuracy"])
    assert 0 < low < values.mean() < high < 1


def test_a_perfect_score_is_as_uncertain_as_its_examples_are_few():
    low, high = interval(components_of(np.ones((3, 100))), METRICS["accuracy"])
    assert high == 1
    assert low == pytest.approx(0.05 ** (1 / 100))
    assert interval(components_of(np.zeros((3, 100))), METRICS["accuracy"])[0] == 0


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_have_none(seeds):
    with pytest.raises(ValueError, match="seeds"):
        interval(components_of(table(seeds, 20, 1, 1, 1)), METRICS["accuracy"])


def test_seeds_with_equal_scores_and_other_errors_leave_the_score_uncertain():
    """Without the residual part as the least variance, the interval would be the score alone."""
    values = np.ones((3, 100))
    values[[0, 0, 1, 1, 2, 2], range(6)] = 0
    cell = components_of(values)
    assert cell.seed_variance == 0
    low, high = interval(cell, METRICS["accuracy"])
    # As uncertain as six errors in 300 independent answers.
    assert low == pytest.approx(0.956, abs=0.002)
    assert high == pytest.approx(0.991, abs=0.002)


def test_it_ends_at_the_only_bound_of_the_metric():
    values = np.array([[0.02, 0.3, 0.01], [0.9, 0.2, 0.1], [0.02, 0.4, 0.6]])
    assert interval(components_of(values), METRICS["rmse"])[0] == 0
    assert interval(components_of(1 - values), METRICS["r2"])[1] == 1
