"""The lag window: which results a trial may depend on."""

from tlbench.running.search.lag_window import MAX_LAG_FACTOR, LagWindow
from tlbench.running.search.trial_outcomes import TrialOutcome

LAG = 4


def whole(step=90):
    return TrialOutcome("complete", 1.0, ((step, 1.0),))


def pruned(step):
    return TrialOutcome("pruned", None, ((step, 1.0),))


def seen(ends, max_steps=90, told=None):
    """Returns what each trial sees, one after the other."""
    window = LagWindow(LAG, max_steps)
    return [
        window.visible(number, dict(enumerate(ends)), len(ends) if told is None else told)
        for number in range(len(ends))
    ]


def test_whole_fits_come_into_view_after_the_lag():
    expected = [max(0, number + 1 - LAG) for number in range(12)]
    assert seen([whole()] * 12) == expected
    assert seen([TrialOutcome("failed", None)] * 12) == expected
    assert seen([pruned(90)] * 12) == expected


def test_where_trials_are_pruned_the_lag_is_in_whole_fits():
    # Two thirds of a whole fit each: a lag of 4 whole fits is 6 trials.
    assert seen([pruned(60)] * 12) == [0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6]


def test_a_trial_that_failed_before_its_first_report_is_ignored():
    failed = TrialOutcome("failed", None)
    assert seen([pruned(60), failed, failed, *[pruned(60)] * 9]) == seen([pruned(60)] * 12)


def test_the_lag_has_a_limit_and_the_window_never_shrinks():
    found = seen([pruned(1)] * 24)
    assert found == sorted(found)
    assert found[4] == 1
    assert found[-1] == 24 - MAX_LAG_FACTOR * LAG


def test_a_trial_waits_only_for_results_in_its_window():
    assert seen([whole()] * 12, told=3) == [0, 0, 0, 0, 1, 2, 3, *[None] * 5]


def test_without_max_steps_a_whole_fit_is_the_longest_in_view():
    assert seen([whole(90), *[pruned(60)] * 11], max_steps=None)[-1] == 6
    assert seen([pruned(60)] * 12, max_steps=None) == [max(0, number + 1 - LAG) for number in range(12)]
