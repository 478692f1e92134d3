"""Greedy selection finds the best ensemble of made-up fits, with repetition, and stops where nothing is gained."""

import numpy as np

from tlbench.results.post_hoc.greedy_selection import greedy_weights

TARGET = np.array([1.0, 2.0, 3.0, 4.0])


def squared_error(average):
    return -float(np.mean((average - TARGET) ** 2))


def test_the_best_weights_are_found():
    # Two fits whose errors cancel in the ratio 2 to 1, and one that only does harm.
    error = np.array([1.0, -1.0, 1.0, -1.0])
    fits = np.stack([TARGET + error, TARGET - 2 * error, TARGET + 9])
    assert greedy_weights(fits, squared_error).tolist() == [2, 1, 0]


def test_a_perfect_fit_stands_alone():
    fits = np.stack([TARGET + 1, TARGET, TARGET - 3])
    assert greedy_weights(fits, squared_error).tolist() == [0, 1, 0]


def test_of_equal_fits_the_first_is_taken_once():
    assert greedy_weights(np.stack([TARGET + 1] * 3), squared_error).tolist() == [1, 0, 0]


def test_what_changes_no_correlation_is_no_member():
    rng = np.random.default_rng(0)
    fits = np.stack([np.full(40, 2.5), *(rng.normal(size=(3, 40)) + np.linspace(0, 3, 40))])
    target = np.linspace(0, 3, 40)

    def correlation(average):
        spread = average.std()
        return float(np.corrcoef(average, target)[0, 1]) if spread > 0 else 0.0

    weights = greedy_weights(fits, correlation)
    assert weights[0] == 0
    assert np.count_nonzero(weights) > 1


def test_of_equally_good_fits_the_other_measure_decides():
    fits = np.stack([TARGET + 1, TARGET - 1, TARGET + 2])
    assert greedy_weights(fits, lambda average: 0.0).tolist() == [1, 0, 0]
    assert greedy_weights(fits, lambda average: 0.0, lambda average: average[0]).tolist() == [0, 0, 1]


def test_rounds_limit_the_members():
    rng = np.random.default_rng(1)
    fits = TARGET + rng.normal(size=(30, 4))
    assert greedy_weights(fits, squared_error, rounds=5).sum() <= 5
    # Beginning with the best fit alone, the ensemble is never worse than that on validation.
    best = max(squared_error(fit) for fit in fits)
    weights = greedy_weights(fits, squared_error)
    assert squared_error(weights @ fits / weights.sum()) >= best
