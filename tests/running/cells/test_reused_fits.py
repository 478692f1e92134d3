"""Cells with more trials or seeds reuse finished fits, and fit only the missing ones."""

from pathlib import Path

import msgspec
import pytest

from tlbench.running.run import Settings
from tlbench.system.integrity.sealed_json import unsealed


@pytest.mark.parametrize(
    ("strategy", "executor"), [("counting", "inline"), ("together", "inline"), ("counting", "isolated")]
)
def test_more_seeds_and_trials_make_what_is_missing_and_no_more(counted, strategy, executor, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    first = counted.one(strategy, executor=executor, trials=1, seeds=1)
    assert counted.made() == [0]
    record = counted.one(strategy, executor=executor, trials=12, seeds=3, jobs=2)
    assert record.best_params != first.best_params, "a case in which the smaller cell's winner is beaten"
    # Eleven settings, and the new winner at the other seeds. Its own fit of the search counts as the first seed's, but
    # for a strategy that fits the seeds in one pass.
    assert sorted(counted.made()) == [0] * (11 + (strategy == "together")) + [1, 2]
    assert [trial.taken_over for trial in record.trials] == [True] + [False] * 11
    assert record.trials[0].params == first.trials[0].params
    assert len(record.trials) == 12
    assert [fit.seed for fit in record.fits] == [0, 1, 2]
    assert record.status == "ok"


def test_more_seeds_alone_keep_the_scores_of_the_first(counted):
    first = counted.one("counting", trials=4, seeds=1)
    counted.made()
    record = counted.one("counting", trials=4, seeds=3)
    assert counted.made() == [1, 2]
    assert record.best_params == first.best_params
    assert [s for s in record.scores if s.seed == 0] == list(first.scores)
    assert [fit.taken_over for fit in record.fits] == [True, False, False]
    answers = counted.store.predictions(record)
    import pandas as pd

    stored = pd.read_parquet(answers)
    assert stored["seed"].tolist() == [seed for seed in (0, 1, 2) for _ in range(32)]
    alone = pd.read_parquet(counted.store.predictions(first))
    pd.testing.assert_frame_equal(stored[stored["seed"] == 0].reset_index(drop=True), alone)


def test_the_first_trials_of_a_longer_search_are_those_of_the_shorter(counted):
    first = counted.one("counting", trials=4, seeds=1)
    counted.made()
    record = counted.one("counting", trials=14, seeds=1)
    assert [t.params for t in record.trials[:4]] == [t.params for t in first.trials]
    assert len(counted.made()) == 10
    whole = counted.one("counting", trials=14, seeds=1, fresh="all")
    assert [t.params for t in whole.trials] == [t.params for t in record.trials]
    assert [t.validation for t in whole.trials] == [t.validation for t in record.trials]


def test_fewer_seeds_and_trials_need_no_fit_at_all(counted):
    counted.one("counting", trials=6, seeds=3)
    counted.made()
    record = counted.one("counting", trials=6, seeds=2)
    assert counted.made() == []
    assert all(fit.taken_over for fit in (*record.trials, *record.fits))
    assert record.test_reads == 1
    assert record.energy_joules is None
    assert record.seconds.fit > 0
    assert record.seconds.total > record.seconds.search


def test_another_sampler_takes_over_the_settings_that_it_asks_for_too(counted):
    counted.one("counting", trials=1, seeds=1, space={"counting": {"lr": 0.01, "steps": [4, 8]}})
    counted.made()
    record = counted.one(
        "counting", trials=2, seeds=1, sampler="grid", space={"counting": {"lr": 0.01, "steps": [4, 8]}}
    )
    assert sorted(trial.params["steps"] for trial in record.trials) == [4, 8]
    assert counted.made() == [0]


def test_a_fresh_run_reuses_nothing(counted):
    counted.one("counting", trials=2, seeds=1)
    counted.made()
    record = counted.one("counting", trials=2, seeds=2, fresh="all")
    assert counted.made() == [0, 0, 1]
    assert not any(fit.taken_over for fit in (*record.trials, *record.fits))


def test_fits_of_other_data_are_not_taken_over(counted, monkeypatch):
    what = {"tasks": ["changing"], "trials": 2, "seeds": 1}
    counted.one("counting", **what)
    counted.made()
    for split in ("train", "validation"):
        monkeypatch.setenv("TLBENCH_TEST_CHANGED", split)
        counted.one("counting", **{**what, "seeds": 2 if split == "train" else 3})
        assert counted.made()[:2] == [0, 0], split


def test_a_final_fit_that_was_scored_on_another_test_split_is_made_again(counted, monkeypatch):
    counted.one("counting", tasks=["changing"], trials=2, seeds=1)
    counted.made()
    monkeypatch.setenv("TLBENCH_TEST_CHANGED", "test")
    record = counted.one("counting", tasks=["changing"], trials=2, seeds=2)
    assert sorted(counted.made()) == [0, 1], "the winner was fitted again at the first seed, and no trial was"
    assert [trial.taken_over for trial in record.trials] == [True, True]
    assert not any(fit.taken_over for fit in record.fits)


def test_what_a_killed_cell_had_finished_is_taken_over_before_it_is_recorded(counted, monkeypatch):
    from tlbench.running.scoring import scores

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(scores, "gather", killed)
        with pytest.raises(KeyboardInterrupt):
            counted.one("counting", trials=3, seeds=2)
    assert len(counted.made()) == 4
    assert not counted.store.attempts()
    record = counted.one("counting", trials=3, seeds=3)
    assert counted.made() == [2]
    assert [fit.taken_over for fit in record.fits] == [True, True, False]


def test_what_a_failed_cell_had_finished_is_taken_over_but_for_what_failed(counted, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setenv("TLBENCH_TEST_FAILS", "1")
        assert counted.one("counting", trials=3, seeds=2).status == "failed"
    counted.made()
    record = counted.one("counting", trials=3, seeds=3)
    assert record.status == "ok"
    assert [trial.taken_over for trial in record.trials] == [True] * 3
    assert counted.made() == [1, 2]
    assert [fit.taken_over for fit in record.fits] == [True, False, False]


def test_the_record_says_what_its_fits_were_made_with(counted, capsys):
    from tlbench.cli.app import _main

    counted.one("counting", trials=2, seeds=1)
    path = next((counted.folder / "records").glob("*.json"))
    raw = msgspec.json.decode(unsealed(path.read_bytes()))
    raw["provenance"]["threads"] = 3
    path.write_bytes(msgspec.json.encode(raw))
    counted.made()
    record = counted.one("counting", trials=2, seeds=2)
    assert counted.made() == [1]
    assert [made.threads for made in record.also_made_with] == [3]
    assert record.provenance.threads != 3
    assert _main(["leaderboard", "--all", "--format", "csv", "--out", str(counted.folder)]) == 0
    assert "in part threads 3" in capsys.readouterr().out
    assert _main(["show", record.cell.id, "--out", str(counted.folder)]) == 0
    assert "in part threads 3" in capsys.readouterr().out


def test_more_time_goes_on_where_a_timeout_ended_and_less_does_not(counted, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setenv("TLBENCH_TEST_TOO_LONG", "1")
        record = counted.one("counting", trials=3, seeds=2, max_seconds=1000.0)
    assert record.status == "timeout"
    assert len(counted.made()) == 4
    for seconds in (1000.0, 500.0):
        assert counted.one("counting", trials=3, seeds=2, max_seconds=seconds).status == "timeout"
        assert counted.made() == []
    for seconds in (2000.0, None):
        planned = counted.plan(["counting"], trials=3, seeds=2, **({"max_seconds": seconds} if seconds else {}))
        assert len(counted.attempts(planned, Settings("inline", 1, "cpu"))) == 1
    finished = counted.one("counting", trials=3, seeds=2, max_seconds=2000.0)
    assert (finished.status, finished.cell.id, finished.attempt) == ("ok", record.cell.id, 2)
    assert counted.made() == [1]


def test_a_run_says_how_many_fits_it_took_over(counted, capsys):
    from tlbench.cli.app import _main

    names = ["-t", "toy-tone", "-b", "toy", "-S", "counting", "--device", "cpu", "--executor", "inline"]
    names.append("--no-baseline")
    for more, said in ((["--trials", "2"], ""), (["--trials", "2", "--seeds", "3"], ", 3 fits reused")):
        assert _main(["run", *names, *more, "--out", str(counted.folder)]) == 0
        assert f"of work{said}" in capsys.readouterr().out
    assert counted.made() == [0, 0, 1, 2]


def test_a_pruned_search_takes_trials_of_the_same_search_alone(counted):
    counted.one("counting", trials=6, seeds=1, sampler="random")
    assert len(counted.made()) == 6
    record = counted.one("counting", trials=6, seeds=1, sampler="random", pruner="halving")
    assert not any(trial.taken_over for trial in record.trials)
    counted.made()
    longer = counted.one("counting", trials=9, seeds=1, sampler="random", pruner="halving")
    assert [trial.taken_over for trial in longer.trials] == [True] * 6 + [False] * 3
    assert [trial.status for trial in longer.trials[:6]] == [trial.status for trial in record.trials]
