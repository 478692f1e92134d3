"""A setting that was fitted is not fitted again, and a space that is used up ends the search."""

import pytest

from tlbench import Choice, Float, Int
from tlbench.contracts.record import FitResult, Point
from tlbench.running.search.pruners import BRACKETS
from tlbench.running.search.repeats import number_of_settings
from tlbench.running.search.study import Trial

SIX = {"kind": Choice(("a", True, 1)), "n": Int(1, 2)}


def way(run):
    return [(*one, run.results[one[0]].repeats) for one in run.way]


@pytest.mark.parametrize("pruner", ["none", "median", "hyperband"])
@pytest.mark.parametrize("sampler", ["tpe", "gp", "random", "grid"])
def test_a_small_space_is_searched_once_and_the_same_on_any_number_of_workers(searches, sampler, pruner):
    protocol = {"space": SIX, "sampler": sampler, "pruner": pruner, "trials": 40, "lag": 3}
    calm = searches.simulate(**protocol)
    assert len({repr(params) for params in calm.settings.values()}) == 6
    assert len(calm.results) < 40, "the search ends where the last setting was tried"
    assert calm.results[len(calm.results) - 1].repeats is None
    if pruner == "none":
        assert calm.fits == 6
    for workers in (2, 4, 8):
        assert way(searches.simulate(workers, workers, **protocol)) == way(calm)
        assert way(searches.simulate(workers, 7, kills=0.2, restarts=0.2, **protocol)) == way(calm)


def test_what_is_not_used_up_goes_on_to_the_last_trial(searches):
    space = {"n": Int(1, 100)}
    run = searches.simulate(4, space=space, trials=40)
    distinct = {params["n"] for params in run.settings.values()}
    assert len(run.results) == 40 > len(distinct) == run.fits
    for number, result in run.results.items():
        if result.repeats is not None:
            assert result.repeats < number
            origin = run.results[result.repeats]
            assert (origin.repeats, origin.params, origin.validation) == (None, result.params, result.validation)


def test_a_repeated_setting_waits_for_the_running_fit_while_other_trials_go_on(searches):
    search = searches.new(space={"n": Int(1, 3)}, defaults={"n": 1}, sampler="random", trials=40)
    running = list(iter(search.ask, None))
    assert len({trial.params["n"] for trial in running}) == len(running) == 3
    assert search.is_exhausted
    assert not search.is_complete
    assert search.total > 3
    for trial in reversed(running):
        search.tell(trial.number, searches.result(trial))
        while (again := search.ask()) is not None:
            assert (again.params, again.result.repeats) == (trial.params, trial.number)
            assert (again.result.validation, again.result.fit_seconds) == (searches.score(trial.params), 0.0)
            search.tell(again.number, again.result)
    assert search.is_complete


def test_costs_are_counted_once(searches):
    search = searches.new(space={"n": Int(1, 3)}, defaults={"n": 1}, sampler="random", trials=40)
    while (trial := search.ask()) is not None:
        if trial.result is not None:
            break
        cost = {"fit_seconds": 1.0, "validate_seconds": 1.0, "setup_paid_seconds": 1.0, "encode_paid_seconds": 1.0}
        told = FitResult(trial.params, 0, "search", trial.number, "ok", validation=0.5, examples_seen=9, **cost)
        search.tell(trial.number, told)
    assert trial.result == FitResult(
        trial.params, 0, "search", trial.number, "ok", validation=0.5, repeats=trial.result.repeats
    )


def told(search, status="ok", scores=(), validation=None, until=99):
    """Answers trials up to a number with the same curve, and returns the next one."""
    history = tuple(Point(10 * (i + 1), score) for i, score in enumerate(scores))
    while (trial := search.ask()) is not None and trial.number < until:
        own = FitResult(trial.params, 0, "search", trial.number, status, validation=validation, history=history)
        search.tell(trial.number, trial.result or own)
    return trial


def test_a_failed_fit_is_not_tried_again(searches):
    search = searches.new(space={"n": Int(1, 1000)}, defaults={"n": 1}, trials=8, sampler="grid")
    assert told(search, "failed") is None
    search = searches.new(space={"kind": Choice((True, 1))}, trials=20, sampler="random")
    assert told(search, "failed") is None
    assert search.total < 20


def stored(settings, pruned=()):
    """Returns results of trials with these values of `n`; those of a pruned trial end at step 10 with the score 0."""
    found = {}
    for number, n in enumerate(settings):
        is_pruned = number in pruned
        history = tuple(
            Point(step, 0.0 if is_pruned else 0.5 + step / 1000) for step in ((10,) if is_pruned else (10, 50))
        )
        status, validation = ("pruned", None) if is_pruned else ("ok", 0.6)
        found[number] = FitResult({"n": n}, 0, "search", number, status, validation=validation, history=history)
    return found


def next_after_a_pruned_one(searches, pruner, number):
    """Returns trial `number`, which has the params of the trial before it, which was pruned."""
    finished = stored([*range(3, number + 2), 1], pruned=[number - 1])
    search = searches.new(finished, space={"n": Int(1, 200)}, pruner=pruner, trials=number + 1, lag=1)
    search._sample = lambda number, visible: {"n": 1}
    return search.ask()


def test_a_pruned_fit_answers_a_trial_that_would_be_pruned_too(searches):
    trial = next_after_a_pruned_one(searches, "median", 12)
    assert (trial.number, trial.result.status, trial.result.repeats) == (12, "pruned", 11)


def test_a_pruned_setting_is_fitted_again_where_other_thresholds_let_it_go_on(searches):
    """Nothing is pruned in the bracket of Hyperband that has no rungs."""
    number = next(number for number in range(12, 99) if BRACKETS[number % len(BRACKETS)] == 0)
    assert next_after_a_pruned_one(searches, "hyperband", number) == Trial(number, {"n": 1})


@pytest.mark.parametrize(
    ("space", "count"),
    [
        ({}, 1),
        ({"n": Int(2, 5)}, 4),
        ({"n": Int(1, 4, log=True), "kind": Choice(("a", "b", "a"))}, 8),
        ({"kind": Choice((True, 1, 1.0, 0.5))}, 3),
        ({"n": Int(2, 5), "lr": Float(0, 1)}, None),
    ],
)
def test_settings_of_a_finite_space_are_counted(space, count):
    assert number_of_settings(space) == count


def test_a_stored_trial_of_another_space_does_not_use_up_this_one(searches):
    search = searches.new(stored([7, 8, 9]), space={"n": Int(1, 2)}, trials=30, sampler="random")
    assert told(search, validation=0.5) is None
    assert {search._params[number]["n"] for number in range(3, search.total)} == {1, 2}


def test_a_resumed_search_ends_where_it_would_have_ended(searches):
    whole = searches.simulate(space=SIX, sampler="random", trials=40)
    some = {number: result for number, result in whole.results.items() if number != 1}
    search = searches.new(some, space=SIX, sampler="random", trials=40)
    assert search.ask().number == 1
    assert search.is_exhausted
    assert search.total == len(whole.results)
    assert searches.new(whole.results, space=SIX, sampler="random", trials=40).is_complete
