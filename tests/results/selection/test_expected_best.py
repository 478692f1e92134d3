"""Tests of the expected best score after n trials."""

from __future__ import annotations

from itertools import combinations
from statistics import mean

import msgspec
import numpy as np
import pytest

from tlbench.contracts.record import FitResult, Point
from tlbench.results.selection.expected_best import expected_best, trial_scores

SCORES = [0.7, 0.9, 0.5, 0.9, 0.2, 0.6]


@pytest.mark.parametrize(("greater", "best"), [(True, max), (False, min)])
def test_it_is_the_mean_best_over_all_subsets(greater, best):
    wanted = [mean(best(subset) for subset in combinations(SCORES, n)) for n in range(1, 7)]
    assert expected_best(SCORES, greater) == pytest.approx(wanted)
    assert expected_best(SCORES, greater)[-1] == best(SCORES)


def test_it_is_unbiased_where_the_estimate_with_replacement_is_too_low():
    generator = np.random.default_rng(0)
    drawn = generator.random((4000, 6))
    ours = np.mean([expected_best(row)[3] for row in drawn])
    ordered, shares = np.sort(drawn, axis=1), (np.arange(7) / 6) ** 4
    with_replacement = (ordered * np.diff(shares)).sum(axis=1).mean()
    # The best of 4 uniform draws is 0.8 on average; the standard error of 4,000 estimates is at most 0.0026.
    assert ours == pytest.approx(0.8, abs=0.009)
    assert with_replacement < 0.78


def test_one_trial_and_no_trial():
    assert expected_best([0.4]) == [0.4]
    assert expected_best([]) == []


def test_a_long_search_stays_within_its_scores():
    curve = expected_best(list(np.linspace(0, 1, 500)))
    assert curve == sorted(curve)
    assert curve[0] == pytest.approx(0.5)
    assert curve[-1] == 1


def test_trials_without_a_score_count_as_the_worst(made):
    def trial(number, **fields):
        return FitResult({"lr": number}, 0, "search", number, **{"status": "ok", **fields})

    trials = (
        trial(0, validation=0.8),
        trial(1, status="diverged"),
        trial(2, status="pruned", history=(Point(1, 0.5), Point(2, 0.6), Point(3, None, 0.1))),
    )
    record = made.record(made.cell(trials=3), made.answers(n=20))
    searched = msgspec.structs.replace(record, trials=trials)
    assert trial_scores(searched) == [0.8, 0.6, 0.6]
    assert trial_scores(searched, greater_is_better=False) == [0.8, 0.8, 0.6]
    assert trial_scores(msgspec.structs.replace(record, trials=(trials[1],))) == []
