"""More trials and more seeds: what is finished is taken over, and just what is missing is fitted, counted."""

import msgspec
import pytest

from tlbench.contracts.record import FORMAT, Record
from tlbench.running import worker
from tlbench.running.run import Settings, orders_of

PLUGIN = """
import os
from dataclasses import dataclass
from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.errors import Diverged
from tlbench.running.outcomes import OutOfTime
from tlbench.testing.toys import ToyFit, ToyTask


def note(job):
    with open(os.environ["TLBENCH_TEST_FITS"], "a") as file:
        file.write(f"{job.seed} {sorted(job.params.items())}\\n")


@dataclass(frozen=True)
class Counting(ToyFit):
    \"\"\"Notes each fit.\"\"\"

    name = "counting"

    def fit(self, job):
        note(job)
        if os.environ.get("TLBENCH_TEST_FAILS") == str(job.seed):
            raise RuntimeError("this seed fails")
        if os.environ.get("TLBENCH_TEST_TOO_LONG") == str(job.seed):
            raise OutOfTime  # as the alarm does
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class Together(ToyFit):
    \"\"\"Notes each fit of a pass.\"\"\"

    name = "together"
    batch_size = 8

    def fit(self, job):
        note(job)
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class Changing(ToyTask):
    \"\"\"Its data change with the environment.\"\"\"

    name = "changing"

    def split(self, name):
        split = os.environ.get("TLBENCH_TEST_CHANGED")
        return ToyTask(draw=7).split(name) if split == name else super().split(name)


@hookimpl
def tlbench_strategies():
    return [Counting(), Together()]


@hookimpl
def tlbench_tasks():
    return [Changing()]
"""


@pytest.fixture
def counted(runs, tmp_path, monkeypatch):
    """Runs cells, and returns the fits that were made since it was last asked."""
    (tmp_path / "counting_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults,counting_plugin")
    noted = tmp_path / "fits"
    monkeypatch.setenv("TLBENCH_TEST_FITS", str(noted))
    worker.forget()
    runs.catalog = type(runs.catalog).discover()

    def made():
        lines = noted.read_text().splitlines() if noted.exists() else []
        noted.unlink(missing_ok=True)
        return [int(line.split()[0]) for line in lines]

    runs.made = made
    return runs


@pytest.mark.parametrize(
    ("strategy", "executor"), [("counting", "inline"), ("together", "inline"), ("counting", "isolated")]
)
def test_more_seeds_and_trials_make_what_is_missing_and_no_more(counted, strategy, executor, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    first = counted.one(strategy, executor=executor, trials=1, seeds=1)
    assert counted.made() == [0]
    record = counted.one(strategy, executor=executor, trials=6, seeds=3, jobs=2)
    assert record.best_params != first.best_params, "a case in which the smaller cell's winner is beaten"
    # Five settings, and the new winner at the other seeds. Its own fit of the search counts as the first seed's, but
    # for a strategy that fits the seeds in one pass.
    assert sorted(counted.made()) == [0] * (5 + (strategy == "together")) + [1, 2]
    assert [trial.taken_over for trial in record.trials] == [True] + [False] * 5
    assert record.trials[0].params == first.trials[0].params
    assert len(record.trials) == 6
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


def test_what_is_asked_for_anew_is_made_anew(counted):
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
        worker.forget()
        counted.one("counting", **{**what, "seeds": 2 if split == "train" else 3})
        assert counted.made()[:2] == [0, 0], split


def test_a_final_fit_that_was_scored_on_another_test_split_is_made_again(counted, monkeypatch):
    counted.one("counting", tasks=["changing"], trials=2, seeds=1)
    counted.made()
    monkeypatch.setenv("TLBENCH_TEST_CHANGED", "test")
    worker.forget()
    record = counted.one("counting", tasks=["changing"], trials=2, seeds=2)
    assert counted.made() == [0, 1], "the winner was fitted again at the first seed, and no trial was"
    assert [trial.taken_over for trial in record.trials] == [True, True]
    assert not any(fit.taken_over for fit in record.fits)


def test_what_a_killed_cell_had_finished_is_taken_over_before_it_is_recorded(counted, monkeypatch):
    from tlbench.running import cell as running

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(running.scoring, "gather", killed)
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
    raw = msgspec.json.decode(path.read_bytes())
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
        assert len(orders_of(planned, counted.store, counted.catalog, Settings("inline", 1, "cpu"))) == 1
    finished = counted.one("counting", trials=3, seeds=2, max_seconds=2000.0)
    assert (finished.status, finished.cell.id, finished.attempt) == ("ok", record.cell.id, 2)
    assert counted.made() == [1]


@pytest.fixture
def newer(counted):
    """A folder with one record of a format that does not exist yet, and one with a field that does not."""
    records = counted.run(["counting", "toy-fit"], trials=2, seeds=1)
    paths = [counted.store.record_path(record.cell.id, 1) for record in records]
    for path, change in zip(paths, ({"format": FORMAT + 1}, {"colour": "red"}), strict=True):
        path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), **change}))
    counted.made()
    return counted, paths


def test_records_of_a_newer_version_are_left_alone(newer, capsys):
    from tlbench.cli.app import _main

    counted, paths = newer
    before = [path.read_bytes() for path in paths]
    names = ["-t", "toy-tone", "-b", "toy", "-S", "counting", "-S", "toy-fit", "--trials", "2", "--device", "cpu"]
    for fresh in ("none", "failed", "stale"):
        assert _main(["run", *names, "--fresh", fresh, "--out", str(counted.folder), "--executor", "inline"]) == 1
        said = capsys.readouterr()
        assert said.err.count("was made by a newer tlbench") == 2
        assert "nothing left to run" in said.out
    assert counted.made() == []
    assert [path.read_bytes() for path in paths] == before
    assert sorted(counted.store.attempts().values()) == [1, 1]
    assert _main(["show", paths[0].name.partition(".")[0], "--out", str(counted.folder)]) == 2
    assert "was made by a newer tlbench: it is of format 2" in capsys.readouterr().err


def test_who_asks_for_all_anew_has_them_made_beside_the_newer_ones(newer):
    counted, paths = newer
    before = [path.read_bytes() for path in paths]
    records = counted.run(["counting", "toy-fit"], trials=2, seeds=1, fresh="all")
    assert [record.attempt for record in records] == [2, 2]
    assert [path.read_bytes() for path in paths] == before


def test_a_run_says_how_many_fits_it_took_over(counted, capsys):
    from tlbench.cli.app import _main

    names = ["-t", "toy-tone", "-b", "toy", "-S", "counting", "--device", "cpu", "--executor", "inline"]
    for more, said in ((["--trials", "2"], ""), (["--trials", "2", "--seeds", "3"], ", 3 fits taken over")):
        assert _main(["run", *names, *more, "--out", str(counted.folder)]) == 0
        assert f"of work{said}" in capsys.readouterr().out
    assert counted.made() == [0, 0, 1, 2]


def test_a_damaged_record_is_said_to_be_damaged_and_made_again(counted, capsys):
    from tlbench.cli.app import _main

    record = counted.one("counting", trials=2, seeds=1)
    path = counted.store.record_path(record.cell.id, 1)
    path.write_bytes(path.read_bytes()[:100])
    counted.made()
    assert _main(["show", record.cell.id, "--out", str(counted.folder)]) == 2
    assert f"{path.name} is damaged" in capsys.readouterr().err
    names = ["-t", "toy-tone", "-b", "toy", "-S", "counting", "--trials", "2", "--seeds", "1", "--device", "cpu"]
    assert _main(["run", *names, "--out", str(counted.folder), "--executor", "inline"]) == 0
    assert f"{path.name} is damaged" in capsys.readouterr().err
    assert counted.made() == [0, 0]
    assert isinstance(counted.store.attempt(record.cell.id, 2), Record)
    newest = counted.store.record_path(record.cell.id, 2)
    newest.write_bytes(b"{")
    path.write_bytes(msgspec.json.encode(record))
    assert _main(["show", record.cell.id, "--out", str(counted.folder)]) == 0
    assert f"{newest.name} is damaged" in capsys.readouterr().err
