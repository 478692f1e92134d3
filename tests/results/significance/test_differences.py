"""Differences from the numbers that are kept of each cell's variance."""

import numpy as np
import pytest

from tlbench.results.significance import differences
from tlbench.results.significance.all_pairs import compare_pairs
from tlbench.results.significance.components import components_of
from tlbench.results.significance.differences import covariance, half_widths, rebuilt, score_variances


def cells_of(count, examples=300, seeds=3, scale=0.02):
    generator = np.random.default_rng(count)
    shared = generator.random(examples)
    skill = generator.normal(scale=scale, size=(count, seeds, 1))
    noise = generator.normal(scale=0.3, size=(count, seeds, examples))
    return [components_of((shared + noise[i] < 0.8 + skill[i]).astype(float)) for i in range(count)]


def rebuilt_from(kept):
    names = ("score", "seeds", "seed_variance", "residual_variance")
    scores, *rest = (np.array([getattr(one, name) for one in kept], dtype=float) for name in names)
    return rebuilt(scores, covariance(kept), *rest, kept[0].example_df)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_rebuilt_cells_have_the_variances_of_those_that_were_kept(count):
    cells = cells_of(count)
    again = rebuilt_from(score_variances(cells))
    for old, new in zip(cells, again, strict=True):
        assert new.score == old.score
        assert new.by_example.mean() == pytest.approx(0, abs=1e-12)
        found, wanted = (one.by_example.var(ddof=1) / len(one.by_example) for one in (new, old))
        assert found == pytest.approx(wanted, rel=1e-5)
    if count > 1:
        wanted, found = compare_pairs(cells), compare_pairs(again)
        assert found.errors == pytest.approx(wanted.errors, rel=1e-5)
        assert found.critical() == pytest.approx(wanted.critical(), rel=1e-3)


def test_equal_cells_differ_by_exactly_nothing():
    fixed = components_of(np.tile(np.arange(50) % 2.0, (3, 1)))
    assert half_widths([fixed, fixed]).tolist() == [[0, 0], [0, 0]]


def test_half_a_width_is_that_of_the_test_of_two_cells():
    cells = cells_of(3)
    tests = compare_pairs(cells[:2])
    assert half_widths(cells)[0, 1] == pytest.approx(tests.critical() * tests.errors[0, 1])


def test_floors_with_a_backbone_are_for_cells_with_this_backbone():
    kept = score_variances(cells_of(5), [False, False, True, True, True], ["a", "b", "a", "b", ""])
    assert [sorted(one.from_floors) for one in kept] == [[2, 4], [3, 4], [], [], []]


def test_copies_of_a_cell_change_no_comparison_of_others():
    cells = [components_of(np.tile((np.arange(100) % n < 2).astype(float), (3, 1))) for n in (3, 5)]
    tests = [compare_pairs(rebuilt_from(score_variances(some))) for some in (cells * 4, cells)]
    assert tests[0].is_significant()[0].tolist() == [False, tests[1].is_significant()[0, 1]] * 4
    assert tests[0].critical() < 3


def test_of_very_many_cells_no_covariances_are_kept(monkeypatch):
    monkeypatch.setattr(differences, "MOST_COVARIANCES", 4)
    kept = score_variances(cells_of(6), [True] + [False] * 5, [""] * 6)
    assert covariance(kept[:2]) is None
    assert list(kept[5].from_floors) == [0]


def test_other_test_examples_have_no_covariance():
    assert covariance(score_variances(cells_of(1)) + score_variances(cells_of(1), family=1)) is None
