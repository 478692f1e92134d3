"""Tests of all pairs of cells at once."""

from __future__ import annotations

import numpy as np
import pytest

from tests.results.significance.test_components import table
from tlbench.results.significance.all_pairs import compare_pairs
from tlbench.results.significance.components import components_of


def cells(count, seeds=3, examples=200, spread=0.02, draw=0, best=0.0, spreads=None):
    """Returns equal cells with shared examples, of which the first is better by `best`."""
    generator = np.random.default_rng([draw, count])
    shared = generator.normal(0, 0.3, (1, examples))
    tables = []
    for i in range(count):
        own = spread if spreads is None else spreads[i]
        values = table(seeds, examples, own, 0.2, 0.2, draw * 1000 + i)
        tables.append(0.8 + shared + values + (best if i == 0 else 0.0))
    return [components_of(values) for values in tables]


@pytest.mark.parametrize("count", [2, 3, 5, 8])
@pytest.mark.parametrize("spread", [0.005, 0.05])
def test_equal_cells_differ_in_about_five_percent_of_tables(count, spread):
    found = sum(compare_pairs(cells(count, spread=spread, draw=draw)).is_significant().any() for draw in range(300))
    # The exact 99.9% interval of 5% in 300 draws is 1.7 to 10.3%.
    assert 0.017 <= found / 300 <= 0.103


def test_cells_whose_seeds_vary_differently_keep_the_rate():
    spreads = [0.0001, 0.1] * 4
    found = sum(compare_pairs(cells(8, spreads=spreads, draw=draw)).is_significant().any() for draw in range(300))
    assert found / 300 <= 0.103


def test_few_groups_keep_the_rate():
    """With standard errors that count as known, some 20% of these tables would show a difference."""
    found = sum(compare_pairs(cells(5, examples=8, draw=draw)).is_significant().any() for draw in range(200))
    assert found / 200 <= 0.103


@pytest.mark.parametrize("count", [2, 6])
def test_a_planted_difference_is_found_for_its_cell_alone(count):
    tests = compare_pairs(cells(count, seeds=5, spread=0.01, best=0.15))
    found = tests.is_significant()
    assert found[0, 1:].all()
    assert found[1:, 0].all()
    assert not found[1:, 1:].any()
    assert tests.differences[0, 1] == pytest.approx(0.15, abs=0.05)


def test_what_is_significant_is_what_lies_beyond_the_critical_value():
    for count in (2, 5):
        tests = compare_pairs(cells(count, best=0.06, draw=3))
        with np.errstate(invalid="ignore"):
            beyond = np.nan_to_num(np.abs(tests.differences) / tests.errors) > tests.critical() - 1e-12
        assert (tests.is_significant() == beyond).all()
        assert (tests.p_values() == tests.p_values().T).all()


def test_equal_predictions_never_differ():
    for count in (2, 4):
        same = cells(1) * count
        tests = compare_pairs(same)
        assert not tests.is_significant().any()
        assert (tests.p_values() == 1).all()


def test_deterministic_cells_are_compared_over_examples():
    generator = np.random.default_rng(0)
    right = (generator.random((3, 500)) < np.array([[0.9], [0.9], [0.6]])).astype(float)
    found = compare_pairs([components_of(np.repeat(row[None], 3, axis=0)) for row in right]).is_significant()
    assert found.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


def test_many_cells_are_compared_by_their_extremes():
    few, many = cells(60, examples=100), cells(70, examples=100)
    # A critical value grows slowly with the number of cells: looking at the extremes alone must not lower it.
    assert compare_pairs(few).critical() - 0.1 < compare_pairs(many).critical() < compare_pairs(few).critical() + 0.3


def test_the_draws_are_the_same_every_time():
    assert compare_pairs(cells(4)).critical() == compare_pairs(cells(4)).critical()


@pytest.mark.parametrize("count", [2, 3])
def test_seeds_with_equal_scores_and_other_errors_have_an_error(count):
    perfect = np.ones((3, 100))
    values = perfect.copy()
    values[[0, 0, 1, 1, 2, 2], range(6)] = 0
    tests = compare_pairs([components_of(one) for one in (values, perfect, perfect)[:count]])
    # The standard error of six errors in 300 independent answers.
    assert tests.errors[0, 1] == pytest.approx(np.sqrt(0.02 * 0.98 / 300), rel=0.02)
