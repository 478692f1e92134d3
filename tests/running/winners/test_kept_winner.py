"""The winner of a cell is rebuilt from its kept model, or by fitting it again, and predicts what is stored."""

import msgspec
import pytest

from tlbench.contracts.errors import UnknownName, UsageError
from tlbench.results.models.kept_models import best_fit, kept_models, model_path
from tlbench.results.models.model_folder import checked_predictor
from tlbench.running.winners.kept_winner import kept_winner


def stored_values(runs, record, seed):
    import pyarrow.parquet as pq

    rows = pq.read_table(runs.store.predictions(record)).to_pylist()
    return {row["id"]: (row["value"], row["scores"]) for row in rows if row["seed"] == seed}


def made_values(winner):
    examples = winner.context.test()
    made = winner.predict(examples)
    return dict(zip(made.ids, zip(made.values.tolist(), made.scores.astype("float32").tolist(), strict=True),
                    strict=True))  # fmt: skip


@pytest.mark.parametrize("keep", ["none", "best-seed", "all"])
def test_the_winner_predicts_what_is_stored(runs, keep):
    record = runs.one("toy-tune", trials=3, seeds=2, keep_models=keep)
    kept = [model.manifest.seed for model in kept_models(runs.folder, record)]
    best = best_fit(record.fits, greater_is_better=True).seed
    assert kept == {"none": [], "best-seed": [best], "all": [0, 1]}[keep]
    assert not list((runs.folder / "work").glob("*/model-*"))
    winner = kept_winner(record.cell.id[:6], runs.folder, runs.catalog)
    assert (winner.was_kept, winner.fit.seed, winner.notes) == (keep != "none", best, ())
    assert made_values(winner) == stored_values(runs, record, best)
    if keep != "best-seed":
        other = kept_winner(record.cell.title, runs.folder, runs.catalog, seed=1 - best)
        assert other.notes == ()
        assert made_values(other) == stored_values(runs, record, 1 - best)


def test_a_winner_that_was_fitted_on_train_and_validation_is_fitted_so_again(runs):
    record = runs.one("toy-fit", trials=2, seeds=2, final="train+validation")
    winner = kept_winner(record.cell.id, runs.folder, runs.catalog)
    assert (winner.fit.seed, winner.notes, winner.job.held_out) == (0, (), None)
    assert made_values(winner) == stored_values(runs, record, 0)


def test_a_difference_from_the_stored_predictions_is_said(runs):
    record = runs.one("toy-fit", seeds=1)
    path = runs.store.record_path(record.cell.id, 1)
    (fit,) = record.fits
    slower = msgspec.structs.replace(fit, params={**fit.params, "lr": fit.params["lr"] * 0.1})
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, fits=(slower,))))
    (note,) = kept_winner(record.cell.id, runs.folder, runs.catalog).notes
    assert "differ from the stored ones" in note


def test_a_changed_model_is_not_read(runs):
    record = runs.one("toy-tune", seeds=1, keep_models="all")
    folder = model_path(runs.folder, record.cell.id, 1, 0)
    assert checked_predictor(folder) == folder / "predictor"
    weights = folder / "predictor" / "head.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    winner = kept_winner(record.cell.id, runs.folder, runs.catalog)
    assert not winner.was_kept
    assert winner.notes == (f"the kept model is not used: {weights}: it has changed since it was written",)
    assert made_values(winner) == stored_values(runs, record, 0)


def test_a_model_whose_description_cannot_be_read_is_named(runs):
    record = runs.one("toy-tune", seeds=1, keep_models="all")
    manifest = model_path(runs.folder, record.cell.id, 1, 0) / "model.json"
    manifest.write_bytes(b"[" * 100_000)
    (note,) = kept_winner(record.cell.id, runs.folder, runs.catalog).notes
    assert note.startswith(f"the kept model is not used: {manifest}: no model can be read from it")


def test_a_cell_that_cannot_be_rebuilt_is_refused_in_one_line(runs):
    record = runs.one("toy-fit", seeds=1)
    failed = runs.one("toy-failing", seeds=1)
    for name, kind, words in [
        ("ffff", UnknownName, "no cell whose id"),
        ("toy | toy-tone | other", UnknownName, "no cell is"),
        (failed.cell.id, UsageError, r"ended without a result \(failed\)"),
    ]:
        with pytest.raises(kind, match=words):
            kept_winner(name, runs.folder, runs.catalog)
    with pytest.raises(UsageError, match="no final fit has the seed 5; the seeds are 0"):
        kept_winner(record.cell.id, runs.folder, runs.catalog, seed=5)


def test_changed_data_are_to_be_put_back(runs, monkeypatch):
    record = runs.one("toy-fit", seeds=1)

    def changed(catalog, name):
        raise UsageError("csv:own.csv@1: its digest is now 2; drop @1 to use it as it is")

    monkeypatch.setattr(type(runs.catalog), "task", changed)
    with pytest.raises(
        UsageError, match="its digest is now 2; the winner is rebuilt with the data of its run: put them"
    ):
        kept_winner(record.cell.id, runs.folder, runs.catalog)


def test_models_of_an_attempt_that_is_made_anew_are_removed(runs):
    for attempt in (1, 2):
        record = runs.one("toy-tune", seeds=1, keep_models="all", fresh="all")
        assert [path.name for path in (runs.folder / "models").iterdir()] == [f"{record.cell.id}.{attempt}"]
    assert kept_winner(record.cell.id, runs.folder, runs.catalog).was_kept


def test_a_plugin_that_fails_to_load_costs_a_fit(runs, monkeypatch):
    record = runs.one("toy-tune", seeds=1, keep_models="all")

    def failing(self, job, folder):
        raise KeyError("head")

    monkeypatch.setattr("tlbench.testing.toys.ToyFit.load", failing)
    winner = kept_winner(record.cell.id, runs.folder, runs.catalog)
    assert winner.notes == ("the kept model is not used: KeyError: 'head'",)
    assert made_values(winner) == stored_values(runs, record, 0)
