"""Searches by rungs: the lengths of fits, and which trials go on."""

import heapq
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import msgspec
import optuna
import pytest

from tlbench import Choice, Float, Int
from tlbench.contracts.record import FitResult, Point
from tlbench.running.search.rung_search import RungSearch
from tlbench.running.search.rungs import Brackets, bracket_schedule, bracket_sizes, brackets_of, parts, rung_sizes

WHOLE = 81


def test_hyperband_has_the_brackets_of_the_papers_algorithm():
    # Worked out by hand from algorithm 1 of Li et al. 2018 with R = 81 and eta = 3, so four rungs below a whole fit:
    # n = ceil(5 / (s + 1) * 3^s) trials, of which each rung keeps a third, rounded down.
    sizes = bracket_sizes(4)
    assert {s: rung_sizes(n, s) for s, n in sizes.items()} == {
        4: [81, 27, 9, 3, 1], 3: [34, 11, 3, 1], 2: [15, 5, 1], 1: [8, 2], 0: [5],
    }  # fmt: skip
    assert [WHOLE // (part or 1) for part in parts(4)] == [1, 3, 9, 27, 81]
    assert Counter(bracket_schedule(4)) == sizes
    # The bracket with the most trials costs as much at each rung.
    assert [n * WHOLE // (part or 1) for n, part in zip(rung_sizes(81, 4), parts(4), strict=True)] == [81] * 5


@pytest.mark.parametrize(
    ("pruner", "settings", "max_steps", "brackets"),
    [
        ("halving-rungs", 2, None, {0}),
        ("halving-rungs", 3, None, {1}),
        ("halving-rungs", 26, None, {2}),
        ("halving-rungs", 1000, None, {3}),
        ("halving-rungs", 1000, 20, {2}),  # with three rungs the first fits would have less than a step
        ("hyperband-rungs", 4, None, {0}),
        ("hyperband-rungs", 5, None, {1, 0}),
        ("hyperband-rungs", 48, None, {2, 1, 0}),
        ("hyperband-rungs", 49, None, {3, 2, 1, 0}),
        ("hyperband-rungs", 49, 1, {0}),
    ],
)
def test_rungs_leave_a_trial_for_the_last_and_a_step_for_the_first(pruner, settings, max_steps, brackets):
    found = brackets_of(pruner, settings, max_steps)
    assert set(found.all) == brackets
    assert list(found.all) == sorted(brackets, reverse=True)


def test_other_pruners_have_no_rungs():
    assert [brackets_of(name, 99, 99) for name in ("none", "median", "halving", "hyperband")] == [None] * 4


def score_at(params, step):
    """Returns the validation score of a simulated fit; curves cross, so that short fits mislead."""
    rng = random.Random(repr(params))
    return -abs(params["lr"] - 0.01) - rng.random() * 0.05 / step


def fit(trial, fails=()):
    """Returns the result of a simulated fit, and the number of its steps."""
    steps = WHOLE if trial.stop_part is None else -(-WHOLE // trial.stop_part)
    reported = [step for step in (3, 9, 27) if step <= steps and step < WHOLE]
    history = tuple(Point(step, score_at(trial.params, step)) for step in reported)
    same = {"seed": 0, "purpose": "search", "stop_part": trial.stop_part, "examples_seen": steps}
    if (trial.number, trial.stop_part) in fails:
        return FitResult(trial.params, trial=trial.number, status="diverged", **same)
    if trial.stop_part is not None:
        return FitResult(trial.params, trial=trial.number, status="pruned", history=history, **same)
    validation = score_at(trial.params, WHOLE)
    return FitResult(trial.params, trial=trial.number, status="ok", validation=validation, history=history, **same)


def run(searches, workers=1, seed=0, restarts=0.0, kills=0.0, fitted=fit, **protocol):
    """Returns the results of a search by simulated workers, in order of trial and length."""
    fields = {"trials": 27, "max_steps": WHOLE, "sampler": "random", "pruner": "halving-rungs", "lag": 4, **protocol}
    rng, results, running, now = random.Random(seed), {}, [], 0.0

    def new():
        search = searches.new(**fields)
        return RungSearch(search, search.brackets, 1.0, results.values())

    search = new()
    while not search.is_complete:
        while len(running) < workers and (trial := search.ask()) is not None:
            done = fitted(trial) if trial.result is None else trial.result
            heapq.heappush(running, (now + done.examples_seen * rng.lognormvariate(0, 0.5), rng.random(), trial, done))
        now, _, trial, done = heapq.heappop(running)
        if rng.random() < kills:
            heapq.heappush(running, (now + done.examples_seen, rng.random(), trial, done))
            continue
        stored = msgspec.json.decode(msgspec.json.encode(done), type=FitResult)
        assert results.setdefault((trial.number, trial.stop_part), stored) == stored
        if rng.random() < restarts:
            running.clear()
            search = new()
        else:
            search.tell(trial.number, done)
    assert search.ask() is None
    assert search.is_exhausted
    return [results[key] for key in sorted(results, key=lambda key: (key[0], -(key[1] or 0)))]


def of_part(results, part):
    return [one for one in results if one.stop_part == part]


def test_the_best_third_of_each_rung_goes_on(searches):
    results = run(searches)
    assert Counter(one.stop_part for one in results) == {27: 27, 9: 9, 3: 3, None: 1}
    for longer, shorter in pairwise([of_part(results, part) for part in (None, 3, 9, 27)]):
        by_score = sorted(shorter, key=lambda one: -one.history[-1].score)
        assert {one.trial for one in longer} == {one.trial for one in by_score[: len(longer)]}
        assert len(longer) == len(shorter) // 3 or len(shorter) == 3
    assert sum(one.examples_seen for one in results) == 4 * WHOLE
    # All of them whole would have cost 27 * WHOLE.


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid"])
@pytest.mark.parametrize("pruner", ["halving-rungs", "hyperband-rungs"])
def test_a_search_is_the_same_on_any_number_of_workers_and_after_kills(searches, sampler, pruner):
    alone = run(searches, sampler=sampler, pruner=pruner)
    assert len({one.stop_part for one in alone}) > 1
    assert run(searches, 3, 1, sampler=sampler, pruner=pruner) == alone
    assert run(searches, 2, 2, restarts=0.1, kills=0.1, sampler=sampler, pruner=pruner) == alone


def test_hyperband_gives_each_bracket_the_lengths_of_its_rungs(searches):
    results = run(searches, pruner="hyperband-rungs", trials=49)
    brackets = Brackets(bracket_schedule(3))
    for rungs in (3, 2, 1, 0):
        mine = [one for one in results if brackets.of(one.trial) == rungs]
        expected = dict(zip(parts(rungs), rung_sizes(bracket_sizes(3)[rungs], rungs), strict=True))
        assert Counter(one.stop_part for one in mine) == expected


def test_a_trial_that_fails_gives_its_place_to_the_next_best(searches):
    first = run(searches)
    (winner,), finalists = of_part(first, None), of_part(first, 3)
    fails = {(winner.trial, None), (finalists[0].trial, 3), (4, 27)}
    results = run(searches, 2, 5, fitted=lambda trial: fit(trial, fails))
    assert Counter(one.stop_part for one in results if one.status != "diverged") == {27: 26, 9: 9, 3: 3, None: 1}
    assert Counter(one.stop_part for one in results if one.status == "diverged") == {27: 1, 3: 1, None: 1}


def test_where_all_fail_the_search_ends(searches):
    results = run(searches, trials=9, fitted=lambda trial: fit(trial, {(trial.number, trial.stop_part)}))
    assert [one.stop_part for one in results] == [9] * 9


def test_fits_that_cannot_be_stopped_run_whole_and_once(searches):
    def whole(trial):
        return msgspec.structs.replace(fit(replace(trial, stop_part=None)), stop_part=trial.stop_part)

    results = run(searches, fitted=whole)
    assert len(results) == 27
    assert {one.status for one in results} == {"ok"}


def test_a_setting_has_one_place_however_often_it_was_drawn(searches):
    space = {"n": Int(1, 40), "lr": Choice((0.1,))}
    results = run(searches, space=space, defaults={}, trials=60)
    distinct = len({one.params["n"] for one in results})
    assert distinct < 60
    first = [one for one in of_part(results, 27) if one.repeats is None]
    assert len(first) == distinct
    assert len(of_part(results, 9)) == distinct // 3
    assert len({one.params["n"] for one in of_part(results, 9)}) == distinct // 3


def test_a_small_space_has_as_many_rungs_as_it_has_settings_for(searches):
    space = {"n": Int(1, 6), "lr": Float(0.1, 0.1)}
    results = run(searches, space=space, defaults={}, trials=60)
    assert Counter(one.stop_part for one in results if one.repeats is None) == {3: 6, None: 2}


def test_the_study_has_the_longest_fit_of_each_trial(searches, tmp_path):
    results = run(searches, trials=9)
    search = searches.new(trials=9, max_steps=WHOLE, sampler="random", pruner="halving-rungs", lag=4)
    RungSearch(search, search.brackets, 1.0, results).export(tmp_path / "study.sqlite")
    url = f"sqlite:///{tmp_path / 'study.sqlite'}"
    (summary,) = optuna.get_all_study_summaries(url)
    trials = optuna.load_study(study_name=summary.study_name, storage=url).trials
    assert Counter(max(trial.intermediate_values, default=0) for trial in trials) == {9: 6, 27: 3}
    assert sum(trial.state.name == "COMPLETE" for trial in trials) == 1
