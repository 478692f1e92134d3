"""Components of means over tasks."""

import numpy as np
import pytest

from tests.results.significance.test_differences import cells_of
from tlbench.results.significance.all_pairs import compare_pairs, separate_tests
from tlbench.results.significance.differences import covariance, score_variances
from tlbench.results.significance.mean_scores import TaskScores, mean_scores


def task(cells):
    kept = score_variances(cells)
    names = ("score", "seeds", "seed_variance", "residual_variance")
    scores, seeds, between, residual = (np.array([getattr(one, name) for one in kept], dtype=float) for name in names)
    return TaskScores(scores, covariance(kept), seeds, between, residual, kept[0].example_df)


def test_the_mean_over_one_task_is_compared_as_its_scores_are():
    cells = cells_of(4)
    wanted, found = compare_pairs(cells), compare_pairs(mean_scores([task(cells)]))
    assert found.differences == pytest.approx(wanted.differences)
    assert found.errors == pytest.approx(wanted.errors, rel=1e-5)
    assert found.critical() == pytest.approx(wanted.critical(), rel=0.02)


def test_variances_add_up_over_tasks():
    tasks = [cells_of(3, examples=200), cells_of(3, seeds=5)]
    errors = [separate_tests(cells)[0] for cells in tasks]
    means = mean_scores([task(cells) for cells in tasks])
    assert [one.score for one in means] == pytest.approx(np.mean([[c.score for c in cells] for cells in tasks], axis=0))
    assert separate_tests(means)[0] == pytest.approx(np.hypot(*errors) / 2, rel=1e-4)


def test_degrees_of_freedom_lie_between_those_of_one_task_and_of_all():
    cells = cells_of(3, scale=0.1)
    one, two = (mean_scores([task(cells)] * count)[0] for count in (1, 2))
    assert (one.seeds, two.seeds) == pytest.approx((3, 5))
    steady = cells_of(3, scale=0.001)
    assert 3 <= mean_scores([task(cells), task(steady)])[0].seeds < 3.5
