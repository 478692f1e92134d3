"""How many more labels would decide between two settings."""

import numpy as np
import pytest

from tlbench.finding.answering.deciding_labels import deciding_labels
from tlbench.metrics import METRICS
from tlbench.results.stats import CellPredictions

ACCURACY = METRICS["accuracy"]


def answers(correct, groups=None):
    """Returns predictions that are right where `correct` says so."""
    values = np.where(correct, 1, 0)[None, :]
    ids = tuple(f"{i:04}" for i in range(len(correct)))
    return CellPredictions(ids, np.ones(len(correct), dtype=np.int64), values, (0,), groups=groups)


def rows(both, first, second, neither):
    """Returns two settings' answers with so many examples that both, only one of them, or none answers rightly."""
    a = [True] * (both + first) + [False] * (second + neither)
    b = [True] * both + [False] * first + [True] * second + [False] * neither
    return answers(np.array(a)), answers(np.array(b))


def test_the_number_is_that_of_the_normal_approximation():
    found = deciding_labels(ACCURACY, *rows(160, 25, 15, 50), "test")
    values = np.array([0.0] * 210 + [1.0] * 25 + [-1.0] * 15)
    needed = (2.8016 * values.std(ddof=1) / values.mean()) ** 2
    assert found.labels == 250
    assert found.more == pytest.approx(needed - 250, abs=2)
    assert found.low < found.more
    assert found.high is None or found.high > found.more


def test_a_clear_difference_is_decided_by_few_labels():
    found = deciding_labels(ACCURACY, *rows(150, 80, 5, 15), "test")
    assert (found.more, found.low, found.high) == (0, 0, 0)


def test_a_difference_that_may_be_none_has_no_upper_end():
    found = deciding_labels(ACCURACY, *rows(200, 12, 11, 27), "validation")
    assert found.high is None
    assert 0 < found.low < found.more
    assert found.split == "validation"


def test_equal_scores_need_more_labels_than_there_are():
    assert deciding_labels(ACCURACY, *rows(200, 10, 10, 30), "test").more is None


def test_equal_answers_and_other_examples_are_not_compared():
    one, other = rows(100, 0, 0, 20)
    assert deciding_labels(ACCURACY, one, other, "test") is None
    assert deciding_labels(ACCURACY, one, rows(90, 5, 5, 21)[1], "test") is None


def test_groups_count_as_one_draw():
    correct = np.array([True] * 30 + [False] * 10)
    other = np.array([False] * 10 + [True] * 22 + [False] * 8)
    groups = np.repeat(np.arange(10), 4)
    alone = deciding_labels(ACCURACY, answers(correct), answers(other), "test")
    grouped = deciding_labels(ACCURACY, answers(correct, groups), answers(other, groups), "test")
    assert grouped.more > alone.more, "examples of a group agree with each other, so they say less"
