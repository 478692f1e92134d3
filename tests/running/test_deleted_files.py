"""Files that a user deletes by hand in a results folder: the next run and leaderboard do the right thing."""

import shutil

import pytest

from tlbench.cli.leaderboard import frame, load
from tlbench.running.run import Settings
from tlbench.testing.toys import ToyMajority

STRATEGIES = ["toy-majority", "toy-guess"]


@pytest.fixture
def done(runs):
    """Runs with two finished cells; `name` is that of the first cell's files without their suffix."""
    runs.store.save_plan(runs.plan(STRATEGIES, seeds=2))
    record, _ = runs.run(STRATEGIES, seeds=2)
    runs.name = f"{record.cell.id}.1"
    return runs


def table(runs):
    cells = runs.plan(STRATEGIES, seeds=2).cells
    return frame(runs.store, load(runs.store, {cell.id for cell in cells}), cells).frame()


@pytest.mark.parametrize(
    ("deleted", "repeated"),
    [
        (["records/NAME.json"], 1),
        (["records/NAME.json", "records/NAME.parquet"], 1),
        (["records/NAME.json", "work/NAME"], 1),
        (["records/NAME.json", "work/NAME/record.json"], 1),
        (["records/NAME.json", "work/index.journal"], 1),
        (["records/NAME.json", "tlbench.json", "plan.json"], 1),
        (["records"], 2),
        (["records", "work"], 2),
        (["work"], 0),
        (["work/NAME"], 0),
        (["work/index.journal"], 0),
        (["records/NAME.parquet"], 0),
        (["records/NAME.validation.parquet"], 0),
        (["plan.json"], 0),
        (["tlbench.json"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_deleted_is_made_again_or_not_missed(done, deleted, repeated):
    # No run needs the index, but an old one must not bring back what it lists.
    (done.folder / "index.bin").write_bytes(b"old")
    for place in deleted:
        path = done.folder / place.replace("NAME", done.name)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    pending = [cell.id for cell in done.plan(STRATEGIES, seeds=2).cells if cell.id not in done.store.attempts()]
    assert len(pending) == repeated
    records = done.run(STRATEGIES, seeds=2)
    assert (done.ran, [record.status for record in records]) == (repeated, ["ok", "ok"])
    assert [record.attempt for record in records] == [1, 1]
    rows = table(done)
    assert rows["status"].tolist() == ["ok", "ok"]
    # Every record has been made by fits of this run, and its predictions are those that it was scored on.
    lost = "records/NAME.parquet" in deleted and not repeated
    assert set(rows["ranked_by"]) == {"intervals" if lost else "paired test"}
    done.run(STRATEGIES, seeds=2)
    assert done.ran == 0


def test_the_old_predictions_of_a_deleted_record_are_replaced(done):
    (done.folder / "records" / f"{done.name}.json").unlink()
    predictions = done.folder / "records" / f"{done.name}.parquet"
    before = predictions.read_bytes()
    predictions.write_bytes(b"of another version of the data")
    done.run(STRATEGIES, seeds=2)
    assert predictions.read_bytes() == before


def test_a_failure_that_is_deleted_is_tried_again_from_the_start(runs, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(ToyMajority, "fit", lambda self, job: 1 / 0)
        (failed,) = runs.run(["toy-majority"])
    assert failed.status == "failed"
    runs.store.record_path(failed.cell.id, 1).unlink()
    (record,) = runs.run(["toy-majority"])
    assert (record.status, record.attempt, runs.ran) == ("ok", 1, 1)


def test_a_record_that_was_never_committed_is_not_made_again(runs, monkeypatch):
    from tlbench.results.records.store import Store

    def killed(self, record, work):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Store, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            runs.run(["toy-majority"])
    monkeypatch.setattr(ToyMajority, "fit", lambda self, job: 1 / 0)
    assert runs.one("toy-majority").status == "ok"


def test_uncommitted_predictions_that_are_deleted_are_made_again(runs, monkeypatch):
    from tlbench.results.records.store import Store

    def killed(self, record, work):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Store, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            runs.run(["toy-majority"])
    for path in (runs.folder / "work").glob("*/*.parquet"):
        path.unlink()
    assert runs.one("toy-majority").status == "ok"


def test_a_deleted_attempt_leaves_the_one_before_it(runs):
    first = runs.one("toy-majority")
    second = runs.one("toy-majority", fresh="all")
    runs.store.record_path(second.cell.id, 2).unlink()
    assert runs.one("toy-majority") == first
    assert runs.ran == 0


def test_work_that_is_deleted_during_a_run_fails_its_cell_alone(runs, monkeypatch):
    fit = ToyMajority.fit

    def deleting(self, job):
        shutil.rmtree(next((runs.folder / "work").glob(f"{ids['toy-majority']}.*")))
        return fit(self, job)

    ids = {cell.strategy.name: cell.id for cell in runs.plan(STRATEGIES, seeds=2).cells}
    monkeypatch.setattr(ToyMajority, "fit", deleting)
    records = runs.run(STRATEGIES, seeds=2)
    assert [record.status for record in records] == ["failed", "ok"]


@pytest.mark.parametrize("obstacle", ["file", "link"])
def test_a_cell_whose_work_folder_is_in_the_way_is_reported_and_the_others_run(runs, tmp_path, obstacle):
    from tlbench.running.run import pending_attempts, run, started_executor

    planned = runs.plan(STRATEGIES, seeds=2)
    place = runs.store.root / "work" / f"{planned.cells[0].id}.1"
    place.symlink_to(tmp_path) if obstacle == "link" else place.write_text("")
    settings = Settings("inline", 1, "cpu")
    with started_executor(planned, runs.store, runs.catalog, settings) as executor:
        attempts = pending_attempts(planned, runs.store, runs.catalog, settings, executor.capacity())
        summary = run(planned, attempts, runs.store, runs.catalog, settings, executor)
    assert [record.cell.strategy.name for record in summary.records] == ["toy-guess"]
    ((cell, reason),) = summary.not_recorded
    assert cell == planned.cells[0]
    assert str(place) in reason


def test_a_record_that_cannot_be_stored_is_a_failure_and_the_others_run(runs, monkeypatch):
    from tlbench.results.records import store

    keep = store.keep_predictions

    def lose(record, work, records):
        if record.predictions and record.cell.id == planned.cells[0].id:
            (work / record.predictions).unlink(missing_ok=True)
        return keep(record, work, records)

    planned = runs.plan(STRATEGIES, seeds=2)
    monkeypatch.setattr(store, "keep_predictions", lose)
    records = runs.run(STRATEGIES, seeds=2)
    assert [record.status for record in records] == ["failed", "ok"]
    assert "predictions of the record are gone" in records[0].reason
