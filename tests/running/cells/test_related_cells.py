"""Sources of reused fits: damaged ones, and those of other data, are not used."""

import msgspec
import pytest

from tlbench.system.integrity.sealed_json import unsealed


@pytest.mark.parametrize("task", ["toy-tone", "toy-count", "toy-labels", "toy-names", "toy-span"])
def test_answers_of_every_kind_are_taken_over(counted, task):
    what = {"tasks": [task], "space": {"counting": {"lr": 0.01, "steps": 4}}}
    first = counted.one("counting", seeds=1, **what)
    record = counted.one("counting", seeds=2, **what)
    assert [fit.taken_over for fit in record.fits] == [True, False]
    assert [score for score in record.scores if score.seed == 0] == list(first.scores)


def damaged(table, how):
    import numpy as np

    if how == "no ids":
        return table.drop(columns="id")
    if how == "other ids":
        return table.assign(id=table["id"] + "x")
    if how == "targets as answered":
        return table.assign(target=table["value"])
    if how == "no values":
        return table.drop(columns="value")
    if how == "texts":
        return table.assign(value="yes")
    if how == "unknown class":
        return table.assign(value=99)
    if how == "not finite":
        return table.assign(value=np.nan)
    return table.iloc[: len(table) // 2]


@pytest.mark.parametrize(
    "how",
    ["no ids", "other ids", "targets as answered", "no values", "texts", "unknown class", "not finite", "fewer rows"],
)
def test_predictions_that_do_not_fit_are_made_again(counted, how):
    import pandas as pd

    first = counted.one("counting", trials=2, seeds=1)
    path = counted.store.predictions(first)
    damaged(pd.read_parquet(path), how).to_parquet(path)
    counted.made()
    record = counted.one("counting", trials=2, seeds=2)
    assert record.status == "ok"
    assert sorted(counted.made()) == [0, 1]
    assert [score for score in record.scores if score.seed == 0] == list(first.scores)


@pytest.mark.parametrize("lie", [{"validation": None}, {"fit_seconds": 1.7e308}, {"fit_seconds": -1.0}])
def test_trials_that_no_run_has_made_are_made_again(counted, lie):
    first = counted.one("counting", trials=2, seeds=1)
    path = counted.store.record_path(first.cell.id, 1)
    raw = msgspec.json.decode(unsealed(path.read_bytes()))
    for fit in (*raw["trials"], *raw["fits"]):
        fit.update(lie)
    path.write_bytes(msgspec.json.encode(raw))
    counted.made()
    assert counted.one("counting", trials=2, seeds=2).status == "ok"
    assert counted.made() == [0, 0, 1]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_an_interrupted_run_keeps_no_fit_of_other_data(counted, monkeypatch, split):
    from tlbench.running.scoring import scores

    def killed(*args):
        raise KeyboardInterrupt

    what = {"tasks": ["changing"], "trials": 2, "seeds": 2}
    with monkeypatch.context() as patched:
        patched.setattr(scores, "gather", killed)
        with pytest.raises(KeyboardInterrupt):
            counted.one("counting", **what)
    counted.made()
    monkeypatch.setenv("TLBENCH_TEST_CHANGED", split)
    record = counted.one("counting", **what)
    assert sorted(counted.made()) == ([0, 1] if split == "test" else [0, 0, 1])
    assert record.also_made_with == ()
    undisturbed = counted.one("counting", **what, fresh="all")
    assert record.scores == undisturbed.scores


def test_another_source_serves_where_the_first_cannot(counted):
    for seeds in ("0", "0,1"):
        counted.one("counting", trials=2, seeds=tuple(int(seed) for seed in seeds.split(",")))
    paths = sorted((counted.folder / "records").glob("*.parquet"))
    for path in paths:
        kept = path.read_bytes()
        path.unlink()
        counted.made()
        record = counted.one("counting", trials=2, seeds=(0, 2) if path == paths[0] else (0, 3))
        assert counted.made().count(0) == 0, "the other record has it"
        assert record.status == "ok"
        path.write_bytes(kept)
