"""When fits are stopped early."""

from collections import Counter

import pytest

from tlbench.contracts.record import Point
from tlbench.running.search.pruners import BRACKETS, pruning_rule, should_prune
from tlbench.running.search.trial_outcomes import TrialOutcome


def ended(*scores, state="complete", every=10):
    curve = tuple((every * (i + 1), score) for i, score in enumerate(scores))
    return TrialOutcome(state, scores[-1] if state == "complete" else None, curve)


def fed(name, *ends, max_steps=None):
    made = pruning_rule(name, max_steps)
    for number, end in enumerate(ends):
        made.add(number, end)
    return made.thresholds(len(ends))


def test_a_fit_is_compared_with_the_last_threshold_it_has_passed():
    stop_below = {10: 0.5, 30: 0.7}
    assert not should_prune(stop_below, 9, 0.0)
    assert should_prune(stop_below, 10, 0.4)
    assert not should_prune(stop_below, 10, 0.5)
    assert not should_prune(stop_below, 29, 0.6)
    assert should_prune(stop_below, 31, 0.6)
    assert not should_prune({}, 31, 0.0)


def test_the_median_is_of_the_best_scores_so_far():
    ends = [ended(0.1, 0.9, 0.3), ended(0.2, 0.1), ended(0.3, 0.5), ended(0.4, 0.5), ended(0.5, 0.6)]
    assert fed("median", *ends) == {10: 0.3, 20: 0.5, 30: 0.9}


def test_a_median_needs_five_trials_that_ran_to_their_end():
    assert fed("median", *[ended(0.1)] * 4) == {}
    assert fed("median", *[ended(0.1)] * 4, ended(0.9, state="pruned"), ended(state="failed")) == {}
    assert fed("median", *[ended(0.1)] * 4, ended(0.9, state="pruned"), ended(0.1)) == {10: 0.1}


def test_trials_that_report_at_other_steps_are_compared_at_their_next_one():
    assert fed("median", *[ended(0.1, 0.2)] * 5, ended(0.3, 0.9, every=15)) == {10: 0.1, 15: 0.2, 20: 0.2, 30: 0.9}


def test_halving_lets_the_top_third_go_on():
    # 1/27, 1/9 and 1/3 of 90 steps are seen at the first report from there on: 10, 10 and 30.
    scores = [0.1, 0.2, 0.3, 0.4, 0.5]
    ends = [ended(s, s, s, s) for s in scores]
    assert fed("halving", *ends, max_steps=90) == {4: 0.4, 10: 0.4, 30: 0.4}
    assert fed("halving", *ends[:2], max_steps=90) == {4: 0.2, 10: 0.2, 30: 0.2}
    assert fed("halving", *ends[:1], max_steps=90) == {}


def test_halving_counts_a_pruned_trial_at_its_rung_and_not_beyond():
    ends = [ended(0.5, 0.5, 0.5), ended(0.6, state="pruned"), ended(0.4, state="pruned"), ended(state="failed")]
    assert fed("halving", *ends, max_steps=90) == {4: 0.6, 10: 0.6}
    assert fed("halving", *ends, ended(0.7, 0.7, 0.7), max_steps=90) == {4: 0.7, 10: 0.7, 30: 0.7}


def test_the_length_of_a_fit_is_learned_without_max_steps():
    ends = [ended(*[s] * 9) for s in (0.1, 0.2, 0.3)]
    assert fed("halving", *ends) == fed("halving", *ends, max_steps=90)
    assert pruning_rule("halving", None).thresholds(0) == {}


def test_brackets_have_the_papers_sizes_and_are_spread():
    # Li et al. 2018, table 1, for R = 27 and eta = 3.
    assert Counter(BRACKETS) == {3: 27, 2: 12, 1: 6, 0: 4}
    assert set(BRACKETS[:13]) == {0, 1, 2, 3}


def test_hyperband_compares_within_a_bracket():
    made = pruning_rule("hyperband", 90)
    for number, rungs in enumerate(BRACKETS):
        made.add(number, ended(*[float(rungs)] * 5))
    steps = {3: [4, 10, 30], 2: [10, 30], 1: [30], 0: []}
    for number in range(3 * len(BRACKETS)):
        rungs = BRACKETS[number % len(BRACKETS)]
        assert made.thresholds(number) == dict.fromkeys(steps[rungs], float(rungs))


def test_pruner_none_has_no_rule():
    assert pruning_rule("none", 90) is None


def test_thresholds_of_a_search_come_from_the_trials_before_the_lag(searches):
    search = searches.new(pruner="median", sampler="random", trials=20, lag=2)
    for number in range(10):
        trial = search.ask()
        assert trial.number == number
        search.tell(number, searches.result(trial, history=[Point(10, float(number)), Point(20, float("nan"))]))
        # Trials 0 to n - 2: five of them from trial 6 on.
        assert search.stop_below(number) == ({10: (number - 2) / 2} if number >= 6 else {})
        assert search.stop_below(6) == ({10: 2.0} if number >= 6 else {}), "for an order that is sent again"


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_thresholds_have_the_sign_under_which_greater_is_better(searches, sign):
    search = searches.new(pruner="median", sampler="random", trials=20, lag=1, sign=sign)
    for _ in range(6):
        trial = search.ask()
        search.tell(trial.number, searches.result(trial, history=[Point(10, 5.0), Point(20, 5.0 + sign)]))
    assert search.stop_below(5) == {10: 5.0 * sign, 20: 5.0 * sign + 1.0}
