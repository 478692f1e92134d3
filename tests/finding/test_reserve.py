"""The time that a search leaves for its finals."""

from dataclasses import replace

import pytest

from tests.finding.costs.conftest import costs_of_toys
from tlbench.contracts.policies.policy import Outcome, Proposal
from tlbench.finding.costs.fit_seconds import START_SECONDS
from tlbench.finding.reserve import (
    FEW_ROWS,
    LEAST_SECONDS,
    MOST,
    SAFETY,
    SAFETY_MEASURED,
    SEEDS_SHARE,
    STARTS,
    fold_seconds,
    reserved_seconds,
)


@pytest.fixture
def costs():
    return costs_of_toys()


def outcome(number):
    return Outcome(Proposal(number, {}), 0.5, 1.0)


def test_two_more_seeds_of_the_best_are_reserved_once_nothing_else_fits(costs):
    best = outcome(2)
    saved = reserved_seconds(costs, [best], best, 1e4, 0.0, 1, is_saved=True)
    scoring = costs.scoring(best.proposal)
    assert saved == pytest.approx(SAFETY * (2 * costs.again(best.proposal) + scoring + 2 * START_SECONDS))
    assert reserved_seconds(costs, [best], best, 1e4, 0.0, 1) == pytest.approx(
        SAFETY * (3 * costs.again(best.proposal) + 2 * START_SECONDS)
    )
    assert reserved_seconds(costs, [best], best, 1e4, 0.0, 2, is_saved=True) < saved, "two workers fit both at once"


def test_the_dearest_candidate_that_still_fits_counts(costs):
    best = outcome(1)
    later = reserved_seconds(costs, [best], best, 1e4, 0.0, 1)
    assert reserved_seconds(costs, [best], best, 1e4, 1e4, 1) > later
    assert reserved_seconds(costs, [best, outcome(2), outcome(3)], best, 1e4, 1e4, 1) == later


def test_a_small_budget_is_not_all_reserved(costs):
    best = outcome(3)
    assert reserved_seconds(costs, [best], best, 2.0, 2.0, 1) == pytest.approx(MOST * 2.0)


def test_other_seeds_take_a_small_share_and_scoring_what_it_needs(costs):
    best, total = outcome(3), 60.0
    seeds = 2 * costs.again(best.proposal)
    assert SAFETY * seeds > SEEDS_SHARE * total
    kept = reserved_seconds(costs, [best], best, total, 0.0, 1, is_saved=True)
    assert kept == pytest.approx(SEEDS_SHARE * total + SAFETY * (costs.scoring(best.proposal) + 2 * START_SECONDS))
    costs.shape = replace(costs.shape, test_rows=10 * costs.shape.validation_rows)
    assert reserved_seconds(costs, [best], best, total, 0.0, 1, is_saved=True) > 1.2 * kept, "a larger test split"


def test_a_baseline_needs_no_more_seeds(costs):
    best = outcome(0)
    assert reserved_seconds(costs, [best], best, 1e4, 0.0, 1, is_saved=True) == LEAST_SECONDS


def test_more_is_reserved_where_workers_start_slowly(costs):
    best = outcome(0)
    assert reserved_seconds(costs, [best], best, 1e4, 0.0, 1, True, start_seconds=100.0) == STARTS * 100
    assert reserved_seconds(costs, [best], best, 60.0, 0.0, 1, True, start_seconds=100.0) == MOST * 60


def test_less_is_reserved_once_the_best_is_measured(costs):
    best = outcome(2)
    whole = costs(best.proposal)
    reckoned = reserved_seconds(costs, [best], best, 1e4, 0.0, 1, is_saved=True)
    costs.add(best.proposal, whole)
    measured = reserved_seconds(costs, [best], best, 1e4, 0.0, 1, is_saved=True)
    assert measured == pytest.approx(reckoned * SAFETY_MEASURED / SAFETY)


def test_a_comparison_in_folds_is_reserved_for_where_validation_rows_are_few(costs):
    best, alone = outcome(2), outcome(0)
    costs.shape = replace(costs.shape, validation_rows=FEW_ROWS)
    before = [reserved_seconds(costs, [one], one, 1e4, 0.0, 1, is_saved=True) for one in (best, alone)]
    costs.shape = replace(costs.shape, validation_rows=FEW_ROWS - 1)
    more = 2 * SAFETY * fold_seconds(best.proposal, costs)
    finals = reserved_seconds(costs, [best], best, 1e4, 0.0, 1, is_saved=True)
    assert finals == pytest.approx(before[0] + more, rel=0.01)
    assert reserved_seconds(costs, [alone], alone, 1e4, 0.0, 1, is_saved=True) == before[1], "a baseline has no rival"
