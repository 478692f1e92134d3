"""The search goes on after a kill the way it would have gone."""

import msgspec
import pytest

from tlbench import Choice, Float, Int
from tlbench.contracts.cell import Protocol
from tlbench.contracts.record import FitResult
from tlbench.running.study import Study, grid

SPACE = {"lr": Float(1e-4, 1e-1, log=True), "n": Int(1, 8), "kind": Choice(("a", "b")), "fixed": Choice((3,))}


def value(params):
    return -abs(params["lr"] - 0.01) - params["n"] / 100 + (params["kind"] == "b") / 10


def result(asked, status="ok"):
    score = value(asked.params) if status == "ok" else None
    return FitResult(asked.params, 0, "search", asked.number, status, validation=score)


def study(path, **fields):
    fields = {"trials": 14, **fields}
    return Study(path / "study.sqlite", "cell", Protocol(**fields), SPACE, {"lr": 0.02}, 1.0)


def search(path, batch=1, die_after=(), **fields):
    """Runs a whole search; after each number of asks in `die_after` the process "dies" when it has told a half."""
    told, dead = {}, set(die_after)
    current = study(path, **fields)
    asks = 0
    while asked := current.ask(batch):
        asks += 1
        # they end in any order
        for one in asked[::-1][: len(asked) // 2 if asks in dead else None]:
            told[one.number] = one.params
            current.tell(result(one))
        if asks in dead:
            current = study(path, **fields)
    return sorted(told.items())


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "grid"])
def test_an_interrupted_search_goes_the_way_of_an_undisturbed_one(tmp_path, sampler):
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    trials = 12 if sampler == "gp" else 18
    calm = search(tmp_path / "calm", sampler=sampler, trials=trials)
    killed = search(tmp_path / "killed", sampler=sampler, trials=trials, die_after=(1, 2, 4, 5))
    assert calm == killed
    assert [number for number, _ in calm] == list(range(len(calm)))


def test_batches_are_taken_up_again_whole(tmp_path):
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    assert search(tmp_path / "calm", batch=5) == search(tmp_path / "killed", batch=5, die_after=(2, 4))


def test_how_many_are_asked_for_depends_on_the_protocol_alone(tmp_path):
    sizes = {"tpe": [10, 4, 4, 2], "random": [20], "gp": [10, 4, 4, 2]}
    for sampler, expected in sizes.items():
        (tmp_path / sampler).mkdir()
        current = study(tmp_path / sampler, sampler=sampler, trials=20)
        asked = iter(current.ask, [])
        seen = []
        for some in asked:
            seen.append(len(some))
            for one in some:
                current.tell(result(one))
        assert seen == expected


def test_trials_is_a_total(tmp_path):
    assert len(search(tmp_path, trials=5)) == 5
    assert search(tmp_path, trials=5) == []
    assert [number for number, _ in search(tmp_path, trials=7)] == [5, 6]


def test_the_strategys_own_setting_is_tried_first(tmp_path):
    asked, *_ = study(tmp_path).ask()
    assert asked.params["lr"] == pytest.approx(0.02)
    assert set(asked.params) == set(SPACE)


def test_failed_trials_count_and_are_not_scores(tmp_path):
    current = study(tmp_path, trials=3)
    for asked, status in zip(current.ask(), ("failed", "diverged", "ok"), strict=True):
        current.tell(result(asked, status))
    assert current.ask() == []


def test_a_pruner_stops_a_trial_that_lags(tmp_path):
    from tlbench import Pruned

    current = study(tmp_path, trials=20, pruner="median", sampler="random")
    for level in range(6):
        (asked,) = current.ask()
        asked.report(1, 1.0 + level)
        current.tell(msgspec.structs.replace(result(asked), validation=1.0))
    (asked,) = current.ask()
    with pytest.raises(Pruned):
        asked.report(1, -5.0)
    current.tell(result(asked, "pruned"))
    assert current.running() == []


def test_the_grid_is_even_and_no_larger_than_asked():
    assert [s["lr"] for s in grid({"lr": Float(1e-4, 1.0, log=True)}, 5)] == pytest.approx([1e-4, 1e-3, 1e-2, 0.1, 1])
    both = grid({"lr": Float(0, 1), "kind": Choice(("a", "b"))}, 9)
    assert len(both) == 8
    assert {s["kind"] for s in both} == {"a", "b"}
    assert len(grid({"n": Int(1, 3)}, 50)) == 3
    assert len(grid({"kind": Choice(("a", "b", "c"))}, 2)) == 2


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_more_trials_begin_with_the_same_ones(tmp_path, sampler):
    for name in ("few", "many"):
        (tmp_path / name).mkdir()
    few = search(tmp_path / "few", sampler=sampler, trials=6)
    assert search(tmp_path / "many", sampler=sampler, trials=12)[:6] == few


def test_a_grid_that_is_too_large_is_spread_over_all_choices():
    settings = grid({"a": Choice((1, 2, 3, 4)), "b": Choice((1, 2, 3, 4))}, 8)
    assert {s["a"] for s in settings} == {1, 2, 3, 4}
