"""What is asked for, when, and what it is drawn from."""

import subprocess
import sys

import msgspec
import pytest

from tlbench import Choice, Float, Int
from tlbench.contracts.record import FitResult, Point
from tlbench.running.search.study import Trial


def asked(search):
    """Returns all trials that can be asked for now."""
    return list(iter(search.ask, None))


def test_a_trial_waits_for_results_the_lag_or_more_before_it(searches):
    search = searches.new(lag=3)
    first = asked(search)
    assert [trial.number for trial in first] == [0, 1, 2]
    for trial in first[:0:-1]:
        search.tell(trial.number, searches.result(trial))
    assert search.ask() is None, "trial 0 is not told"
    search.tell(0, searches.result(first[0]))
    assert [trial.number for trial in asked(search)] == [3, 4, 5]


@pytest.mark.parametrize("pruner", ["none", "median"])
@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_random_and_grid_wait_only_for_a_pruner(searches, sampler, pruner):
    search = searches.new(sampler=sampler, pruner=pruner, trials=40)
    assert len(asked(search)) == (8 if pruner == "median" else search.total)


def test_random_params_are_those_of_optuna_to_the_bit():
    import optuna

    from tlbench.running.search.samplers import ParamsSampler

    space = {
        "lr": Float(1e-5, 1e-1, log=True), "decay": Float(0.0, 0.3), "steps": Int(1, 500, log=True),
        "width": Int(2, 9), "norm": Choice(("a", 1, True)),
    }  # fmt: skip
    sampler = ParamsSampler("random", "a search", space)
    assert sampler._is_drawn
    for number in range(40):
        study = optuna.create_study(sampler=sampler._sampler(number))
        expected = study.ask(sampler._distributions).params
        expected["norm"] = ("a", 1, True)[expected["norm"]]
        drawn = sampler.sample(number, 0, {}, {}, {})
        assert drawn == expected
        assert [type(value) for value in drawn.values()] == [type(value) for value in expected.values()]


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_results_within_the_lag_are_ignored(searches, sampler):
    def last(better):
        search = searches.new(sampler=sampler, trials=14, lag=3)
        while (trial := search.ask()).number < 13:
            bonus = better * (trial.number > 10)
            search.tell(trial.number, searches.result(trial, validation=searches.score(trial.params) + bonus))
        return trial.params

    assert last(better=0.0) == last(better=5.0)


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_results_before_the_lag_are_used(searches, sampler):
    def last(better):
        search = searches.new(sampler=sampler, trials=16, lag=3)
        while (trial := search.ask()).number < 15:
            bonus = better * (trial.number == 12)
            search.tell(trial.number, searches.result(trial, validation=searches.score(trial.params) + bonus))
        return trial.params

    assert last(better=0.0) != last(better=5.0)


def test_params_of_running_trials_are_avoided(searches):
    """The trials within the lag are shown as running: their settings count."""
    stored = {}
    search = searches.new(trials=20, lag=4)
    while (trial := search.ask()).number < 19:
        stored[trial.number] = searches.result(trial)
        search.tell(trial.number, stored[trial.number])
    elsewhere = {**stored[17].params, "lr": trial.params["lr"], "n": trial.params["n"], "kind": trial.params["kind"]}
    stored[17] = msgspec.structs.replace(stored[17], params=elsewhere)
    again = searches.new(stored, trials=20, lag=4).ask()
    assert again.number == 19
    assert again.params != trial.params


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random", "grid"])
def test_a_larger_budget_continues_the_smaller_search(searches, sampler):
    many = searches.all_of(searches.new(sampler=sampler, trials=15))
    few = searches.new(sampler=sampler, trials=6)
    stored = {}
    while (trial := few.ask()) is not None:
        stored[trial.number] = searches.result(trial)
        few.tell(trial.number, stored[trial.number])
    if sampler != "grid":
        assert [many[number] for number in range(6)] == [stored[number].params for number in range(6)]
        assert {**{n: r.params for n, r in stored.items()}, **searches.all_of(searches.new(stored, trials=15))} == many
    assert searches.new(stored, sampler=sampler, trials=6).is_complete


@pytest.mark.parametrize("there", [(0, 1, 3), (2,), (13,), (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12), (40,)])
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_results_with_gaps_are_filled_up(searches, sampler, there):
    calm = searches.all_of(searches.new(sampler=sampler))
    stored = {n: searches.result(Trial(n, calm.get(n, calm[0]))) for n in there}
    search = searches.new(stored, sampler=sampler)
    missing = [number for number in calm if number not in there]
    assert searches.all_of(search) == {number: calm[number] for number in missing}
    assert search.is_complete


def test_stored_params_replace_sampled_ones(searches):
    calm = searches.all_of(searches.new(trials=25))
    stored = {n: searches.result(Trial(n, calm[n])) for n in range(20)}
    stored[4] = searches.result(Trial(4, {**calm[4], "lr": 0.01, "n": 1, "kind": True}))
    later = searches.all_of(searches.new(stored, trials=25))
    assert list(later) == [20, 21, 22, 23, 24]
    assert later != {n: calm[n] for n in later}
    assert later == searches.all_of(searches.new(stored, trials=25))


@pytest.mark.parametrize("params", [{"lr": 7.0, "n": 1, "kind": "a"}, {"lr": 0.01, "n": 1, "kind": "z"}, {"lr": 0.01}])
@pytest.mark.parametrize("number", [2, 19])
def test_stored_params_outside_the_space_are_not_learned_from(searches, params, number):
    calm = searches.all_of(searches.new(trials=25))
    stored = {n: searches.result(Trial(n, calm[n])) for n in range(20)}
    worst = {**stored, number: searches.result(Trial(number, params), validation=-9.0)}
    best = {**stored, number: searches.result(Trial(number, params), validation=9.0)}
    later = searches.all_of(searches.new(worst, trials=25))
    assert list(later) == [20, 21, 22, 23, 24]
    assert later == searches.all_of(searches.new(best, trials=25))


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_the_defaults_are_tried_first(searches, sampler):
    whole = {"lr": 0.02, "n": 5, "kind": 1}
    assert searches.new(sampler=sampler, defaults=whole).ask().params == {"fixed": 3, **whole}
    first = searches.new(sampler=sampler).ask().params
    assert first["lr"] == 0.02
    assert list(first) == list(searches.SPACE)
    assert searches.new(sampler=sampler, defaults={"fixed": 3, "lr": 0.02}).ask().params == first


def test_a_choice_keeps_the_types_of_its_values(searches):
    space = {"kind": Choice((True, 1, 1.0, "1", 0, False)), "only": Choice((False,))}
    seen = set()
    for params in searches.all_of(
        searches.new(space=space, sampler="random", trials=60, defaults={"kind": 1})
    ).values():
        assert params["only"] is False
        seen.add(repr(params["kind"]))
    assert seen == {"True", "1", "1.0", "'1'", "0", "False"}
    for value in space["kind"].values:
        assert repr(searches.new(space=space, defaults={"kind": value}).ask().params["kind"]) == repr(value)


def test_numbers_keep_their_types(searches):
    space = {"a": Float(0, 4), "n": searches.SPACE["n"]}
    for params in searches.all_of(searches.new(space=space, defaults={"a": 1, "n": 2.0}, trials=12)).values():
        assert [type(value) for value in params.values()] == [float, int]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random", "grid"])
def test_a_single_trial_is_the_same_with_any_sampler_and_never_pruned(searches, sampler):
    search = searches.new(sampler=sampler, pruner="median", trials=1)
    trial = search.ask()
    assert trial == searches.new(trials=1).ask()
    assert search.stop_below(0) == {}
    assert search.is_exhausted
    assert not search.is_complete


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random", "grid"])
def test_a_fixed_space_has_one_trial(searches, sampler):
    space = {"a": Choice((1,)), "b": Float(0.5, 0.5)}
    assert searches.all_of(searches.new(space=space, sampler=sampler, trials=9)) == {0: {"a": 1, "b": 0.5}}
    assert searches.all_of(searches.new(space={}, sampler=sampler, trials=9)) == {0: {}}


def test_a_grid_may_be_smaller_than_asked_for(searches):
    search = searches.new(sampler="grid", space={"n": searches.SPACE["n"], "k": Choice((1, 2))}, trials=500)
    assert len(searches.all_of(search)) == search.total == 16
    assert search.is_complete


def test_a_trial_without_a_finite_score_counts_but_is_not_learned_from(searches):
    def ended(search, spoiled):
        return searches.all_of(search, lambda t: spoiled(t) if t.number % 3 == 0 else searches.result(t))

    calm = ended(searches.new(trials=30), lambda t: searches.result(t, "failed"))
    assert len(calm) == 30
    for spoiled in (
        lambda t: searches.result(t, "oom"),
        lambda t: searches.result(t, validation=float("nan")),
        lambda t: searches.result(t, validation=float("inf")),
        lambda t: FitResult(t.params, 0, "search", t.number, "ok"),
        lambda t: msgspec.structs.replace(searches.result(t, "diverged"), validation=1.0),
    ):
        assert ended(searches.new(trials=30), spoiled) == calm


def test_pruned_trials_are_learned_from_by_their_curves(searches):
    """Where too few trials ran to their end, a model takes those that came far and were good there."""

    def stopped(sign):
        return lambda t: searches.result(t, "pruned", history=[Point(10, sign * searches.score(t.params))])

    first = searches.new(trials=30, lag=2)
    stored = {}
    while (trial := first.ask()) is not None:
        stored[trial.number] = stopped(1.0)(trial)
        first.tell(trial.number, stored[trial.number])
    for number in (12, 20, 27):
        again = searches.new({n: one for n, one in stored.items() if n < number}, trials=30, lag=2)
        settings = searches.all_of(again, stopped(1.0))
        assert settings == {n: one.params for n, one in stored.items() if n >= number}
    assert searches.all_of(searches.new(trials=30, lag=2), stopped(-1.0)) != {
        n: one.params for n, one in stored.items()
    }


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_another_search_samples_other_params(searches, sampler):
    mine, others = asked(searches.new(sampler=sampler)), asked(searches.new(sampler=sampler, identity="another"))
    for one, other in zip(mine, others, strict=True):
        assert one.number == other.number
        assert one.params != other.params


def test_smaller_scores_may_be_better(searches):
    up = searches.all_of(searches.new(trials=25))
    down = searches.all_of(
        searches.new(trials=25, sign=-1.0), lambda t: searches.result(t, validation=-searches.score(t.params))
    )
    assert up == down


def test_model_based_samplers_beat_random_search(searches):
    def best(sampler):
        return max(map(searches.score, searches.all_of(searches.new(sampler=sampler, trials=40)).values()))

    assert best("tpe") > best("random")


def test_tell_rejects_unknown_trials_and_other_params(searches):
    search = searches.new()
    trial = search.ask()
    with pytest.raises(ValueError, match="trial 1 was not asked for"):
        search.tell(1, searches.result(Trial(1, trial.params)))
    with pytest.raises(ValueError, match="trial 0 has params"):
        search.tell(0, searches.result(Trial(0, {**trial.params, "lr": 0.5})))
    search.tell(0, searches.result(trial))


def test_of_two_results_of_one_trial_the_first_counts(searches, tmp_path):
    import optuna

    search = searches.new(trials=2)
    for trial in asked(search):
        search.tell(trial.number, searches.result(trial, validation=1.0 - trial.number))
        search.tell(trial.number, searches.result(trial, "failed"))
    assert search.is_complete
    search.export(tmp_path / "s.sqlite")
    study = optuna.load_study(study_name="cell", storage=f"sqlite:///{tmp_path / 's.sqlite'}")
    assert [trial.value for trial in study.trials] == [1.0, 0.0]


def test_tpe_samples_as_optunas_own_sampler(searches, monkeypatch):
    """Shortcuts past what optuna does again at every draw change no suggestion."""
    from tlbench.running.search import samplers

    mixed = searches.simulate(trials=40, pruner="median").way
    assert {status for *_, status in mixed} == {"ok", "pruned", "diverged"}
    monkeypatch.delattr(samplers._FixedSpaceTPE, "_get_internal_repr")
    monkeypatch.delattr(samplers._FixedSpaceTPE, "infer_relative_search_space")
    assert searches.simulate(trials=40, pruner="median").way == mixed


def test_optuna_is_not_imported_before_params_are_sampled():
    code = (
        "import sys; from tlbench.running.search.study import Search; from tlbench.contracts.cell import Protocol\n"
        "from tlbench import Int\n"
        "search = Search('x', Protocol(trials=4, sampler='grid'), {'n': Int(1, 4)}, {}, 1.0)\n"
        "assert [search.ask().params['n'] for _ in range(4)] == [1, 2, 3, 4]\n"
        "print({'optuna', 'sqlalchemy', 'torch', 'numpy'} & set(sys.modules) or 'light')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "light"
