"""Variance components of a score: examples and seeds as crossed random factors."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.results.significance.components import components_of


def table(seeds, examples, of_seed, of_example, rest, draw=0):
    """Returns values (S, G) with these standard deviations of the seeds, the examples and each value."""
    generator = np.random.default_rng([draw, seeds, examples])
    return (
        generator.normal(0, of_seed, (seeds, 1))
        + generator.normal(0, of_example, (1, examples))
        + generator.normal(0, rest, (seeds, examples))
    )


def test_the_parts_are_those_of_a_two_way_analysis_of_variance():
    values = table(4, 30, 0.5, 1.0, 0.3)
    cell = components_of(values)
    rows, columns, mean = values.mean(1), values.mean(0), values.mean()
    residuals = values - rows[:, None] - columns[None, :] + mean
    assert cell.score == pytest.approx(mean)
    assert cell.seed_variance == pytest.approx(rows.var(ddof=1))
    assert cell.residual_variance == pytest.approx((residuals**2).sum() / (3 * 29) / 30)
    assert cell.by_example == pytest.approx(columns - mean)


def test_the_estimates_are_unbiased():
    draws = [components_of(table(3, 50, 0.2, 1.0, 2.0, draw)) for draw in range(2000)]
    # The variance between seeds holds that of the seeds and the residual part.
    assert np.mean([one.seed_variance for one in draws]) == pytest.approx(0.2**2 + 2.0**2 / 50, rel=0.05)
    assert np.mean([one.residual_variance for one in draws]) == pytest.approx(2.0**2 / 50, rel=0.05)


def test_equal_seeds_are_deterministic_and_one_seed_is_not_known_to_be():
    values = np.random.default_rng(0).random((1, 20))
    assert components_of(np.repeat(values, 3, axis=0)).is_deterministic
    assert not components_of(values).is_deterministic
    assert not components_of(table(3, 20, 0.1, 1, 0.1)).is_deterministic


def test_one_example_has_no_variance():
    with pytest.raises(ValueError, match="one test example"):
        components_of(np.ones((3, 1)))


@pytest.mark.parametrize(
    ("sizes", "df"), [(None, 19), ([7] * 20, 19), ([1] * 19 + [1000], 1), ([4, 4] + [1] * 18, 12.52)]
)
def test_unequal_groups_count_as_fewer(sizes, df):
    cell = components_of(table(3, 20, 0.1, 1, 0.1), None if sizes is None else np.array(sizes))
    assert cell.example_df == pytest.approx(df, abs=0.01)
