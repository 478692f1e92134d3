"""`tlbench.load` and `tlbench.load_records`: a winner and a table of records, from Python."""

import subprocess
import sys

import numpy as np
import pytest

import tlbench
from tlbench import UsageError
from tlbench.results.post_hoc.calibration import as_classes, fitted_temperature, log_loss
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.running.prediction import predicting
from tlbench.running.prediction.fitted_temperature import temperature_of


def test_a_model_predicts_lists_of_rows(runs, monkeypatch):
    monkeypatch.setattr(predicting, "CHUNK", {"text": 2})
    record = runs.one("toy-fit", seeds=2, keep_models="best-seed")
    model = tlbench.load(record.cell.id[:8], out=runs.folder)
    assert (model.record, model.notes, model.classes) == (record, (), ("unfriendly", "friendly"))
    texts = ["the film is lovely", "", "a song is dull", "the film is lovely", 7]
    rows = model.predict(texts)
    assert [row["problem"] for row in rows] == ["", "the text is empty", "", "", "7 is not a text"]
    assert rows[0]["prediction"] == rows[3]["prediction"]
    assert rows[0]["confidence"] == pytest.approx(rows[3]["confidence"]), "but for its last bits, alone as with others"
    assert set(rows[0]["probabilities"]) == {"unfriendly", "friendly"}
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1)
    named = model.predict([{"id": place, "body": text} for place, text in enumerate(texts)], text=["body"])
    assert named == rows
    with pytest.raises(UsageError, match="list of rows"):
        model.predict("the film is lovely")


def test_confidence_has_the_temperature_of_the_validation_split(runs):
    record = runs.one("toy-fit", seeds=1, keep_models="all")
    model = tlbench.load(record.cell.id, out=runs.folder)
    validation = model._winner.context.validation
    rows = model.predict([example.inputs[0] for example in validation])
    stored = read_predictions(runs.store.validation_predictions(record.cell.id, 1), with_scores=True)
    targets, scores = as_classes(stored.scored[0])
    temperature = fitted_temperature(targets, scores)
    assert temperature != 1
    by_id = dict(zip((example.id for example in validation), rows, strict=True))
    calibrated = np.array([by_id[name]["confidence"] for name in stored.ids])
    logits = np.log(scores) / temperature
    expected = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).max(axis=1)
    assert calibrated == pytest.approx(expected, abs=1e-5)
    both = np.stack([calibrated, 1 - calibrated], axis=1)
    is_right = (stored.values[0] != targets).astype(int)
    assert log_loss(is_right, both) < log_loss(targets, scores), "it fits the validation split better"


def test_a_winner_of_train_and_validation_has_no_calibration(runs):
    record = runs.one("toy-fit", seeds=1, final="train+validation", keep_models="all")
    model = tlbench.load(record.cell.id, out=runs.folder)
    assert model.notes == ("confidence is not calibrated: no validation predictions",)
    (row,) = model.predict(["the film is lovely"])
    assert row["confidence"] == max(row["probabilities"].values())


def test_a_winner_that_is_right_on_all_of_validation_has_no_calibration(runs, monkeypatch):
    record = runs.one("toy-fit", seeds=1, keep_models="all")

    def all_right(scored):
        _, scores = as_classes(scored)
        return scores.argmax(axis=1), scores

    assert temperature_of(record, record.fits[0].seed, runs.folder)[1] == ""
    monkeypatch.setattr("tlbench.running.prediction.fitted_temperature.as_classes", all_right)
    temperature, reason = temperature_of(record, record.fits[0].seed, runs.folder)
    assert temperature is None
    assert reason.startswith("all 32 validation predictions are right")


def test_one_row_that_the_backbone_cannot_read_costs_only_itself(runs, monkeypatch):
    record = runs.one("toy-fit", seeds=1, keep_models="all")
    model = tlbench.load(record.cell.id, out=runs.folder)
    winner = model._winner
    whole = type(winner).featurize

    def failing(self, examples):
        if any("dull" in example.inputs[0] for example in examples):
            raise RuntimeError("cannot read this")
        return whole(self, examples)

    monkeypatch.setattr(type(winner), "featurize", failing)
    rows = model.predict(["a film is lovely", "a film is dull", "a song is lovely", "a song is fresh"])
    assert [row["problem"] for row in rows] == ["", "RuntimeError: cannot read this", "", ""]
    assert [bool(row["prediction"]) for row in rows] == [True, False, True, True]


def test_records_are_a_table(runs):
    first, second = runs.run(["toy-fit", "toy-majority"], seeds=2)
    table = tlbench.load_records(runs.folder)
    assert set(table["cell"]) == {first.cell.id, second.cell.id}
    assert table.set_index("cell").loc[first.cell.id, "value"] == pytest.approx(
        np.mean([score.value for score in first.scores if score.metric == "accuracy" and not score.slice]), abs=1e-9
    )
    with pytest.raises(UsageError, match="no results here"):
        tlbench.load_records(runs.folder / "none")


def test_importing_tlbench_stays_light():
    heavy = ("torch", "pandas", "rich", "jinja2", "optuna", "tlbench.api", "tlbench.running")
    code = f"import sys, tlbench; tlbench.run, tlbench.find; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
