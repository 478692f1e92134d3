"""Searches of spaces in which some hyperparameters exist only with some values of others."""

import optuna
import pytest

from tlbench import Choice, Float, Int, When
from tlbench.contracts.space import existing, narrow
from tlbench.running.search.grid import grid
from tlbench.running.search.repeats import number_of_settings

SPACE = narrow(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "kind": Choice(("a", True, "c")),
        **When("kind", (True, "a"), n=Int(1, 8), deep=Choice((False, True)), **When("deep", True, width=Float(1, 2))),
    },
    {},
)
FINITE = narrow(
    {"kind": Choice((1, 2, 3)), **When("kind", (2, 3), n=Int(1, 2), **When("kind", 3, on=Choice((0, 1))))}, {}
)


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_a_search_is_the_same_on_any_number_of_workers_and_after_kills(searches, sampler):
    protocol = {"space": SPACE, "sampler": sampler, "trials": 12 if sampler == "gp" else 30, "lag": 3}
    protocol["defaults"] = {"lr": 0.02, "kind": "c", "n": 4}
    alone = searches.simulate(1, 0, **protocol)
    assert alone.settings[0] == {"lr": 0.02, "kind": "c"}  # the default of `n` is unused: it does not exist
    names = {frozenset(params) for params in alone.settings.values()}
    assert len(names) > 1
    for params in alone.settings.values():
        assert existing(SPACE, params) == params
        assert ("n" in params) == (params["kind"] != "c")
    assert searches.simulate(3, 1, kills=0.1, restarts=0.1, **protocol).way == alone.way


def test_the_sampler_learns_which_branch_is_good(searches):
    settings = searches.simulate(space=SPACE, trials=60, lag=1).settings  # scores are best where kind is True
    late = [settings[number]["kind"] for number in range(40, 60)]
    assert sum(kind is True for kind in late) > 10


def test_a_grid_varies_a_number_only_where_it_exists():
    found = grid(SPACE, 60)
    assert len(found) <= 60
    assert len({repr(params) for params in found}) == len(found)
    assert all(existing(SPACE, params) == params for params in found)
    one = [params for params in found if params["kind"] == "c"]
    assert one
    assert all(set(params) == {"lr", "kind"} for params in one)
    assert len(grid(SPACE, 4)) == 4


def test_a_finite_space_ends_when_each_of_its_settings_was_tried(searches):
    assert number_of_settings(FINITE) == 1 + 2 + 2 * 2
    settings = searches.simulate(space=FINITE, trials=200, sampler="random", defaults={}).settings
    assert len({repr(sorted(params.items())) for params in settings.values()}) == 7
    assert len(settings) < 200
    assert len(grid(FINITE, 50)) == 7


def test_the_study_has_of_each_trial_the_params_that_it_has(searches, tmp_path):
    search = searches.new(space=SPACE, trials=12, sampler="random")
    settings = searches.all_of(search)
    search.export(tmp_path / "study.sqlite")
    (study,) = optuna.get_all_study_summaries(f"sqlite:///{tmp_path / 'study.sqlite'}")
    trials = optuna.load_study(study_name=study.study_name, storage=f"sqlite:///{tmp_path / 'study.sqlite'}").trials
    assert [set(trial.params) for trial in trials] == [set(params) for params in settings.values()]
