"""The final fits' validation predictions: kept beside the record without another fit, optional, and never trusted."""

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from tlbench.metrics.resampling import score
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.running.cells.final_fits import FinalFits
from tlbench.running.fitting import process
from tlbench.running.fitting import saved_predictors as saved
from tlbench.running.scoring import validation_predictions
from tlbench.system.integrity.sealed_json import unsealed
from tlbench.testing.toys import ToyFit


def kept(runs, record):
    path = runs.store.validation_predictions(record.cell.id, record.attempt)
    return None if path is None else read_predictions(path, with_scores=True)


@pytest.mark.parametrize("task", ["toy-tone", "toy-count", "toy-labels", "toy-names", "toy-span"])
def test_they_have_the_scores_of_the_final_fits(counted, task):
    record = counted.one("counting", tasks=[task], seeds=2, trials=2)
    # One trial's fit serves as the final fit of the first seed: no fit was added.
    assert sorted(counted.made()) == [0, 0, 1]
    assert record.validation_predictions == f"{record.cell.id}.1.validation.parquet"
    assert record.no_validation_predictions == ""
    found = kept(counted, record)
    assert found.seeds == (0, 1)
    for row, fit in zip(found.scored, record.fits, strict=True):
        assert score(record.metrics[0], row) == pytest.approx(fit.validation, abs=1e-12)


def test_probabilities_are_kept_in_fp32(runs):
    record = runs.one("toy-fit", seeds=2)
    path = runs.store.validation_predictions(record.cell.id, 1)
    assert str(pq.read_schema(path).field("scores").type).startswith("list<element: float>")
    found = kept(runs, record)
    assert found.scores.shape == (2, 32, 2)
    assert found.scores.dtype == np.float32
    assert (found.scores.argmax(axis=2) == found.values).all()


def test_the_fits_of_a_pass_have_them(runs, monkeypatch):
    def fit_batch(self, jobs):
        return [ToyFit().fit(job) for job in jobs]

    monkeypatch.setattr(ToyFit, "batch_size", 4)
    monkeypatch.setattr(ToyFit, "fit_batch", fit_batch, raising=False)
    record = runs.one("toy-fit", seeds=3)
    assert kept(runs, record).seeds == (0, 1, 2)


def test_no_score_or_id_depends_on_them(runs, essence, monkeypatch):
    whole = runs.one("toy-fit", seeds=1)
    monkeypatch.setattr(validation_predictions, "LIMIT_BYTES", 100)
    without = runs.one("toy-fit", seeds=1, fresh="all")
    assert without.cell == whole.cell
    assert essence(without) == essence(whole)
    assert kept(runs, without) is None
    assert without.validation_predictions is None
    assert without.no_validation_predictions.startswith("they take 0.0 MB, and at most 0.0001 MB of a cell are kept")


def test_far_too_many_probabilities_are_not_even_written(runs, monkeypatch):
    monkeypatch.setattr(validation_predictions, "_MOST_SCORES", 10)
    record = runs.one("toy-fit", seeds=1)
    assert record.no_validation_predictions.startswith("seed 0 has none: they are too large, or")


@pytest.mark.parametrize("what", [{"final": "train+validation"}, {"folds": 2, "final": "train+validation"}])
def test_a_winner_that_was_fitted_on_validation_has_none(runs, what):
    record = runs.one("toy-fit", seeds=1, **what)
    assert record.status == "ok"
    assert record.no_validation_predictions == "the winner was fitted on the validation split too"
    assert kept(runs, record) is None


def test_reused_fits_bring_theirs_along(counted):
    first = counted.one("counting", seeds=1)
    record = counted.one("counting", seeds=2)
    assert [fit.taken_over for fit in record.fits] == [True, False]
    found = kept(counted, record)
    assert (found.values[0] == kept(counted, first).values[0]).all()
    assert found.seeds == (0, 1)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("missing", "seed 0 has none: they are too large, or its fit was reused from a record without"),
        ("damaged", "seed 0 has none"),
        ("other ids", "seed 0: its file has answers to 32 examples, which are not the 32 of the validation split"),
        ("no values", "seed 0: its file holds no predictions: KeyError"),
    ],
)
def test_reused_fits_without_usable_ones_are_not_fitted_again(counted, how, reason):
    import pandas as pd

    first = counted.one("counting", seeds=1)
    path = counted.store.validation_predictions(first.cell.id, 1)
    table = pd.read_parquet(path)
    if how == "missing":
        path.unlink()
    elif how == "damaged":
        path.write_bytes(b"damaged")
    else:
        changed = table.drop(columns="value") if how == "no values" else table.assign(id=table["id"] + "x")
        changed.to_parquet(path)
        # A record from before there were digests, which says nothing about its files.
        record_path = counted.store.record_path(first.cell.id, 1)
        record_path.write_bytes(msgspec.json.encode(msgspec.structs.replace(first, digests={})))
    counted.made()
    record = counted.one("counting", seeds=2)
    assert counted.made() == [1]
    assert [one for one in record.scores if one.seed == 0] == list(first.scores)
    assert record.no_validation_predictions.startswith(reason)
    assert kept(counted, record) is None


def test_a_record_from_before_them_is_read_and_its_fits_serve(counted):
    first = counted.one("counting", seeds=1)
    counted.store.validation_predictions(first.cell.id, 1).unlink()
    path = counted.store.record_path(first.cell.id, 1)
    raw = msgspec.json.decode(unsealed(path.read_bytes()))
    del raw["validation_predictions"], raw["no_validation_predictions"]
    path.write_bytes(msgspec.json.encode(raw))
    old = counted.store.record(first.cell.id)
    assert (old.validation_predictions, old.no_validation_predictions) == (None, "")
    assert counted.one("counting", seeds=2).status == "ok"


def test_the_predictor_that_was_saved_before_a_kill_has_them(counted, monkeypatch):
    monkeypatch.setattr(saved, "SHARE", float("inf"))
    with monkeypatch.context() as patched:
        patched.setattr(FinalFits, "ask", interrupted)
        with pytest.raises(KeyboardInterrupt):
            counted.one("counting", trials=2, seeds=2)
    monkeypatch.setattr(process, "_worker", None)
    counted.made()
    record = counted.one("counting", trials=2, seeds=2)
    assert counted.made() == [1]
    calm = counted.one("counting", trials=2, seeds=2, fresh="all")
    assert (kept(counted, record).scores == kept(counted, calm).scores).all()


def interrupted(self, together):
    raise KeyboardInterrupt


def test_a_run_that_is_stopped_between_final_fits_goes_on_with_them(counted, monkeypatch):
    tell, told = FinalFits.tell, []

    def once(self, results):
        tell(self, results)
        told.append(results)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(FinalFits, "tell", once)
        with pytest.raises(KeyboardInterrupt):
            counted.one("counting", seeds=3)
    counted.made()
    record = counted.one("counting", seeds=3)
    assert counted.made() == [1, 2]
    assert kept(counted, record).seeds == (0, 1, 2)
