"""One cell from search to record, and the statuses of faults."""

import pandas as pd
import pytest

from tlbench.contracts.identity.amount import Amount
from tlbench.metrics import METRICS
from tlbench.testing.faults import FROZEN, READS


def whole(record, metric):
    return [score for score in record.scores if score.metric == metric and score.slice is None]


def test_searches_fits_the_winner_per_seed_and_scores(runs):
    record = runs.one("toy-tune", trials=4, seeds=3)
    assert record.status == "ok"
    assert [trial.trial for trial in record.trials] == [0, 1, 2, 3]
    best = max(record.trials, key=lambda trial: trial.validation)
    assert record.best_params == best.params
    assert record.validation == best.validation
    assert [fit.seed for fit in record.fits] == [0, 1, 2]
    assert record.test_reads == 3 + 1, "a final fit a seed, and scoring"
    assert len(whole(record, "accuracy")) == 3
    assert all(score.low <= score.value <= score.high and score.n == 32 for score in whole(record, "accuracy"))
    assert {score.slice for score in record.scores} == {None, "kind=plain", "kind=negated"}
    assert record.provenance.distributions["torch"]
    assert set(record.provenance.data) == {"train", "validation", "test"}
    assert record.memory.host_peak_bytes >= record.memory.host_baseline_bytes
    assert record.memory.host_own_bytes is None, "in one process for all cells, no memory is known to be a cell's own"
    assert record.trainable_parameters == record.parameters > 0


def test_a_finished_search_is_left_as_a_study_for_dashboards(runs):
    import optuna

    record = runs.one("toy-tune", trials=4)
    (path,) = (runs.folder / "work").glob("*/study.sqlite")
    (summary,) = optuna.get_all_study_summaries(f"sqlite:///{path}")
    trials = optuna.load_study(study_name=summary.study_name, storage=f"sqlite:///{path}").trials
    assert [trial.value for trial in trials] == [trial.validation for trial in record.trials]


def test_keeps_a_prediction_for_every_test_example(runs):
    record = runs.one("toy-fit", trials=1, seeds=2)
    table = pd.read_parquet(runs.store.predictions(record))
    test = runs.catalog.task("toy-tone").item.split("test")
    assert list(table["id"]) == [example.id for example in test] * 2
    assert list(table["seed"]) == [0] * len(test) + [1] * len(test)
    assert list(table["slice.kind"][: len(test)]) == [example.slices["kind"] for example in test]
    accuracy = (table["target"] == table["value"]).groupby(table["seed"]).mean()
    assert [score.value for score in whole(record, "accuracy")] == pytest.approx(list(accuracy))


def test_the_seal_holds_until_the_winner_is_frozen(runs, tmp_path, monkeypatch):
    monkeypatch.setenv(FROZEN, str(runs.folder / "work" / "*" / "winner.json"))
    monkeypatch.setenv(READS, str(tmp_path / "reads"))
    record = runs.one("toy-tune", tasks=["toy-sealed"], trials=3, seeds=2)
    assert record.status == "ok"
    # Read once by the worker, and last of all.
    reads = (tmp_path / "reads").read_text().split()
    assert reads.count("test") == 1
    assert reads[-1] == "test"


def test_a_test_split_read_too_early_fails_the_cell(runs, monkeypatch):
    # The same task with a seal that nothing opens: had the runner read it before the freeze, it would end like this.
    monkeypatch.setenv(FROZEN, f"{runs.folder}/no-such-file")
    record = runs.one("toy-fit", tasks=["toy-sealed"])
    assert record.status == "failed"
    assert "before the winner was frozen" in record.reason
    assert record.scores == ()


def test_a_strategy_never_gets_the_test_split(runs):
    record = runs.one("toy-peeking")
    assert record.status == "failed"
    assert "asked for the test split" in record.reason
    assert record.test_reads == 0


def test_a_failed_trial_does_not_fail_the_cell(runs):
    record = runs.one("toy-failing[share=0.5]", trials=8, sampler="random")
    statuses = [trial.status for trial in record.trials]
    assert record.status == "ok"
    assert len(statuses) == 8
    assert 0 < statuses.count("failed") < 8
    assert all("fails on purpose" in trial.traceback for trial in record.trials if trial.status == "failed")


@pytest.mark.parametrize(
    ("strategy", "status", "reason"),
    [
        ("toy-failing", "failed", "fails on purpose"),
        ("toy-diverging", "diverged", "the loss is nan"),
        ("toy-diverging[how=weights]", "diverged", "not finite"),
        ("toy-diverging[how=scores]", "diverged", "not finite"),
        ("toy-oom", "oom", "out of memory"),
        ("toy-oom[where=host]", "oom", "MemoryError"),
        ("toy-short", "failed", "did not answer every example"),
    ],
)
def test_each_fault_has_its_status_and_the_run_goes_on(runs, strategy, status, reason):
    records = runs.run([strategy, "toy-fit"])
    assert records[0].status == status
    assert reason in records[0].reason
    assert "\n" not in records[0].reason
    assert records[0].scores == ()
    assert records[1].status == "ok"


def test_a_task_that_cannot_be_read_fails_its_cells_alone(runs):
    records = runs.run(["toy-fit"], tasks=["toy-broken", "toy-tone"])
    assert [record.status for record in records] == ["failed", "ok"]
    assert "the file of train is gone" in records[0].reason


def test_a_strategy_leaves_the_encoder_as_a_fresh_load_would(runs, essence):
    alone = runs.one("toy-tune", tasks=["toy-count"], trials=2)
    for meddler in ("toy-meddling", "toy-meddling[structure=true]"):
        for record in runs.run([meddler, "toy-tune"], tasks=["toy-count"], trials=2, fresh="all"):
            assert record.status == "ok"
        assert essence(record) == essence(alone)


def test_the_kept_winner_predicts_as_a_fit_of_its_own(runs, essence, monkeypatch):
    kept = runs.one("toy-tune", trials=4)
    monkeypatch.setattr("tlbench.running.fitting.worker.Worker._keep", lambda self, *args: None)
    again = runs.one("toy-tune", trials=4, fresh="all")
    assert again.attempt == 2
    assert essence(kept) == essence(again)


def test_passes_are_the_same_on_any_number_of_workers(runs, tmp_path):
    from tlbench.contracts.cell import Cell, Protocol, Ref
    from tlbench.contracts.fits.task_info import TaskInfo
    from tlbench.contracts.record import FitResult
    from tlbench.contracts.space import Float
    from tlbench.running.cells.cell_folder import CellFolder
    from tlbench.running.cells.cell_search import CellSearch
    from tlbench.running.cells.hyperparameters import CellSettings

    class Nobody:
        def trial(self, fit):
            return None

    def passes(at_once, name):
        """Returns the trials of each pass, with this many passes in flight at a time."""
        cell = Cell(Ref("toy-tone"), Ref("toy-fit"), Protocol(trials=17, pruner="median"), Ref("toy"))
        info = TaskInfo("toy-tone", runs.catalog.task("toy-tone").item.output, ("accuracy",))
        settings = CellSettings(info, METRICS["accuracy"], {"lr": Float(0, 1)}, {}, batch_size=5)
        search = CellSearch(cell, settings, CellFolder(tmp_path / name), Nobody())
        found, in_work = [], []
        while not search.is_complete:
            while len(in_work) < at_once and (fits := search.ask()):
                in_work.append(fits)
                found.append([(fit.trial, fit.params["lr"]) for fit in fits])
                assert search.stop_below(fits) == {}
            done = in_work.pop()
            search.tell([FitResult(f.params, 0, "search", f.trial, "ok", validation=f.params["lr"]) for f in done])
        return sorted(found)

    assert [len(one) for one in passes(1, "one")] == [5, 5, 5, 2]
    assert passes(1, "alone") == passes(2, "two") == passes(3, "three")


def test_training_subsets_follow_the_seed_and_limit(runs):
    splits = runs.catalog.task("toy-tone").item
    from tlbench.running.splits import Splits

    first, second = Splits(splits).subset(1, Amount(8)), Splits(splits).subset(1, Amount(16))
    assert list(first) == list(second[:8])
    assert list(Splits(splits).subset(2, Amount(8))) != list(first)
    rest = Splits(splits).unlabeled(1, Amount(16))
    assert len(rest) == 48
    assert {e.id for e in rest}.isdisjoint(e.id for e in second)
    assert all(example.target is None for example in rest)


def test_validation_is_carved_out_of_train_by_a_fixed_seed(runs):
    from tlbench.running.splits import Splits
    from tlbench.testing.toys import ToyTask

    made = [Splits(ToyTask(train=50, validation=0)) for _ in range(2)]
    assert len(made[0].validation) == 10
    assert len(made[0].train) == 40
    assert list(made[0].validation) == list(made[1].validation)
    assert {e.id for e in made[0].validation}.isdisjoint(e.id for e in made[0].train)


def test_a_cell_over_its_time_limit_has_a_record(runs):
    record = runs.one("toy-slow[rounds=1000000000]", max_seconds=1.0)
    assert record.status == "timeout"
    assert "max_seconds" in record.reason


def test_finished_cells_are_not_run_again(runs):
    first = runs.run(["toy-fit", "toy-majority"])
    assert runs.run(["toy-fit", "toy-majority"]) == first
    assert runs.ran == 0


def test_fresh_repeats_the_requested_cells(runs):
    runs.run(["toy-fit", "toy-failing"])
    records = runs.run(["toy-fit", "toy-failing"], fresh="failed")
    assert runs.ran == 1
    assert [record.attempt for record in records] == [1, 2]
    runs.run(["toy-fit", "toy-failing"], fresh="stale")
    assert runs.ran == 0


def test_the_subsets_of_a_cells_seeds_are_the_same_rows_as_one_by_one(runs):
    from tlbench.running.splits import Splits

    splits = Splits(runs.catalog.task("toy-tone").item)
    pool, positions = splits.pool((0, 3), Amount(20))
    for seed in (0, 3):
        assert list(pool.take(positions[seed])) == list(splits.subset(seed, Amount(20)))
    assert len(pool) == len({e.id for seed in (0, 3) for e in splits.subset(seed, Amount(20))})


def test_seeds_see_their_own_subsets(runs):
    record = runs.one("toy-fit", seeds=3, train_limit=16, max_steps=8, space={"toy-fit": {"steps": 8}})
    assert record.status == "ok"
    assert record.examples_seen == 16 * 8
    assert len({fit.notes["last_loss"] for fit in record.fits}) == 3


def test_a_record_that_cannot_be_read_is_run_again(runs):
    runs.run(["toy-fit"])
    path = next((runs.folder / "records").glob("*.json"))
    path.write_text(path.read_text()[:100])
    (record,) = runs.run(["toy-fit"])
    assert (record.status, record.attempt) == ("ok", 2)


def test_a_full_disk_ends_the_run_and_not_a_cell(runs, monkeypatch):
    import errno

    from tlbench.contracts.errors import StoreError
    from tlbench.running.cells.cell_folder import CellFolder

    def full(self, results):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(CellFolder, "save_final", full)
        with pytest.raises(StoreError, match="No space left"):
            runs.run(["toy-fit"])
    assert list(runs.store.records()) == []
    assert runs.one("toy-fit").status == "ok"


@pytest.mark.parametrize("again", ["none", "all"])
def test_an_interrupted_fresh_run_is_finished_not_started_over(runs, again):
    from tlbench.running.run import Settings

    strategies = ["toy-fit", "toy-majority"]
    runs.run(strategies)
    planned, settings = runs.plan(strategies), Settings("inline", 1, "cpu", "all")

    def interrupted(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.go(planned, settings, interrupted)
    assert sorted(runs.store.attempts().values()) == [1, 2]
    runs.run(strategies, fresh=again)
    assert runs.ran == 1
    assert sorted(runs.store.attempts().values()) == [2, 2]


def test_unfinished_fresh_runs_of_two_plans_are_both_finished(runs):
    from tlbench.running.run import Settings

    def begin(strategies, stop_after):
        planned, settings, done = runs.plan(strategies), Settings("inline", 1, "cpu", "all"), []

        def delivered(record):
            done.append(record)
            if len(done) == stop_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            runs.go(planned, settings, delivered)

    runs.run(["toy-fit", "toy-majority", "toy-tune"])
    begin(["toy-fit", "toy-majority"], stop_after=1)
    begin(["toy-tune", "toy-slow"], stop_after=1)
    assert len(runs.store.wanted()) == 2
    runs.run(["toy-tune", "toy-slow"], fresh="all")
    assert runs.ran == 1
    runs.run(["toy-fit", "toy-majority"], fresh="all")
    assert runs.ran == 1
    assert runs.store.wanted() == {}


def test_final_fits_of_a_fused_strategy_are_one_pass(runs, monkeypatch):
    from tlbench.testing.toys import ToyFit

    batches = []

    def fit_batch(self, jobs):
        batches.append([job.seed for job in jobs])
        return [self.fit(job) for job in jobs]

    monkeypatch.setattr(ToyFit, "batch_size", 8)
    monkeypatch.setattr(ToyFit, "fit_batch", fit_batch, raising=False)
    record = runs.one("toy-fit", trials=3, seeds=3)
    assert batches == [[0, 0, 0], [0, 1, 2]]
    assert [(fit.seed, fit.status, fit.params) for fit in record.fits] == [
        (seed, "ok", record.best_params) for seed in (0, 1, 2)
    ]
    assert len({score.seed for score in record.scores}) == 3
