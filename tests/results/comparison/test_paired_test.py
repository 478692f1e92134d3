"""The paired test of two results, and the examples that they share."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.results.test_stats import TARGETS, predicting
from tlbench.metrics import METRICS
from tlbench.results.comparison.paired_test import BY_EXAMPLE, CROSSED, EXACT, SAME, paired_test
from tlbench.results.comparison.shared_examples import shared_examples
from tlbench.results.significance.all_pairs import compare_pairs
from tlbench.results.significance.cell_values import components
from tlbench.results.stats import CellPredictions

ACCURACY = METRICS["accuracy"]


def test_single_fits_are_tested_exactly_by_what_only_one_gets_right():
    a, b = predicting(0.9), predicting(0.85, draw=1)
    right = [one.values[0] == TARGETS for one in (a, b)]
    only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    found = paired_test(ACCURACY, a, b)
    assert found.test == EXACT
    assert (found.only_first, found.only_second) == only
    assert found.p == pytest.approx(stats.binomtest(only[0], sum(only)).pvalue)
    assert found.difference == pytest.approx((only[1] - only[0]) / 400)


def test_seeds_and_examples_are_crossed_as_in_ranks():
    a, b = predicting(0.9, (0, 1, 2)), predicting(0.84, (0, 1, 2), draw=1)
    found = paired_test(ACCURACY, a, b)
    tests = compare_pairs([components(ACCURACY, one.scored) for one in (a, b)])
    assert found.test == CROSSED
    assert found.p == pytest.approx(tests.p_values()[0, 1])
    half = tests.critical() * tests.errors[0, 1]
    assert (found.low, found.high) == pytest.approx((found.difference - half, found.difference + half))


def test_other_metrics_of_single_fits_are_tested_over_examples():
    a, b = predicting(0.9), predicting(0.8, draw=1)
    found = paired_test(METRICS["f1"], a, b)
    assert found.test == BY_EXAMPLE
    assert found.low < found.difference < found.high < 0
    assert found.p < 0.05
    # Squared errors are means over examples: the test is the t test of their differences.
    targets = np.random.default_rng(3).normal(size=60)
    rows = [CellPredictions(tuple(map(str, range(60))), targets,
                            (targets + np.random.default_rng(draw).normal(size=60) * scale)[None], (0,))
            for draw, scale in ((1, 1.0), (2, 1.4))]  # fmt: skip
    errors = [(one.values[0] - targets) ** 2 for one in rows]
    found = paired_test(METRICS["mse"], *rows)
    assert found.p == pytest.approx(stats.ttest_rel(*errors).pvalue)
    assert (found.only_first, found.only_second) == (None, None)


def test_examples_are_found_by_id_and_those_of_one_side_are_left_out():
    a = predicting(0.9)
    order = np.random.default_rng(5).permutation(400)[:350]
    b = predicting(0.9)
    other = b.targets[order].copy()
    other[:7] = 1 - other[:7]
    ids = (*(b.ids[i] for i in order[:-3]), "x", "y", "z")
    b = replace(b, ids=ids, targets=other, values=b.values[:, order])
    shared = shared_examples(a, b)
    assert (shared.only_first, shared.only_second, shared.other_targets) == (53, 3, 7)
    assert shared.first.ids == shared.second.ids
    np.testing.assert_array_equal(shared.first.values, shared.second.values)
    found = paired_test(ACCURACY, shared.first, shared.second)
    assert (found.examples, found.difference, found.p) == (340, 0.0, 1.0)


def test_without_a_common_example_there_is_nothing_to_compare():
    a = predicting(0.9)
    assert shared_examples(a, replace(a, ids=tuple(f"other {name}" for name in a.ids))) is None


def test_groups_count_as_one_draw():
    a, b = predicting(0.9), predicting(0.8, draw=1)
    groups = np.arange(400) // 40
    grouped = paired_test(ACCURACY, replace(a, groups=groups), replace(b, groups=groups))
    assert (grouped.groups, grouped.test) == (10, BY_EXAMPLE)
    assert grouped.p > paired_test(ACCURACY, a, b).p


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_equal_answers_of_equal_seeds_are_no_difference(seeds):
    found = paired_test(ACCURACY, predicting(0.9, seeds), predicting(0.9, seeds))
    assert (found.test, found.low, found.high, found.p) == (SAME, 0.0, 0.0, 1.0)
