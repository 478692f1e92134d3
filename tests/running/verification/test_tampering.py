"""Whoever changes a submission and lists its digests anew is found out, with a line that says what was changed."""

import json
import shutil

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tlbench.contracts.cell import Cell
from tlbench.results.submissions.manifest import MANIFEST
from tlbench.system.integrity.sealed_json import sealed


def test_an_honest_submission_is_recomputed(sent):
    found = sent.verified()
    assert (found.tier, found.faults, [one.faults for one in found.records]) == ("recomputed", {}, [[]])


def test_a_new_fit_gives_the_highest_tier(sent):
    found = sent.verified(again=["all"], device="cpu")
    assert found.tier == "re-run"
    assert any("seed 1: 100.0% of the answers agree" in note for note in found.records[0].notes)


def put(*path, value):
    """Returns a function that sets a value within a record."""

    def edit(record):
        *parents, last = path
        for key in parents:
            record = record[key]
        record[last] = value(record[last]) if callable(value) else value

    return edit


def more_validation(record):
    record["validation"] += 0.01
    for fit in (*record["trials"], record["fits"][0]):
        if fit["params"] == record["best_params"]:
            fit["validation"] = record["validation"]


TAMPERED = {
    "a score": (put("scores", 0, "value", value=lambda score: score + 0.01), "accuracy of seed 0 is"),
    "an interval": (put("scores", 0, "low", value=lambda low: low + 0.01), "the lower end of accuracy"),
    "a size": (put("scores", 0, "n", value=10_000), "the size of accuracy of seed 0"),
    "a missing score": (lambda record: record["scores"].pop(), "is not in the record"),
    "a score of another seed": (put("scores", 0, "seed", value=7), "it has scores of the seeds"),
    "the seeds of a fit": (put("fits", 1, "seed", value=9), "final fits have the seeds 0, 9, and the cell 0, 1"),
    "the cell": (put("cell", "protocol", "seeds", value=[0, 2]), "it holds the record of another cell"),
    "the attempt": (put("attempt", value=3), "it holds the record of another cell"),
    "train data": (put("provenance", "data", "train", value="0" * 16), "made on other train data"),
    "test data": (put("provenance", "data", "test", value="0" * 16), "made on other test data"),
    "no test data": (lambda record: record["provenance"]["data"].pop("test"), "does not say on which test data"),
    "no train data": (lambda record: record["provenance"]["data"].pop("train"), "does not say on which train data"),
    "no data": (put("provenance", "data", value={}), "does not say on which validation data"),
    "no version": (put("provenance", "distributions", value={}), "does not say with which version of tlbench"),
    "no device": (put("provenance", "device", value=""), "does not say with which device"),
    "no overlap": (put("overlap", value={}), "it lacks its overlap with train"),
    "no floor": (put("floor", value=None), "it lacks floor, the comparison with a constant answer"),
    "no field floor": (lambda record: record.pop("floor"), "it lacks floor, which records of its form have"),
    "no digests": (put("digests", value={}), "it lacks the digest of"),
    "no field digests": (lambda record: record.pop("digests"), "it lacks digests, which records of its form have"),
    "a left-out trial": (lambda record: record["trials"].pop(0), "it lacks trial 0 of its search"),
    "left-out trials": (lambda record: record["trials"].pop(), "it has 1 of its 2 trials, and neither"),
    "a time limit": (put("trials_planned", value=16), "its protocol has none"),
    "params": (put("fits", 0, "params", value={}), "other params than the winner"),
    "the winner": (put("validation", value=lambda score: score - 0.2), "no trial has the winner's params"),
    "validation": (more_validation, "the validation score of seed 0 is"),
    "the time": (put("seconds", "fit", value=0.0), "its fit seconds are 0"),
    "a negative time": (put("seconds", "total", value=-1.0), "a time is negative"),
    "the size of the model": (put("parameters", value=1), "its parameters are 1"),
    "examples seen": (put("examples_seen", value=1), "its examples_seen are 1"),
    "reads of the test": (put("test_reads", value=0), "the test split was never opened"),
    "overlap": (put("overlap", "train", value=999), "its overlap with train is 999"),
    "classes": (put("report", "classes", 0, "f1", value=0.123), "report of classes is not that of its predictions"),
    "confusion": (put("report", "confusion", value=[[0, 0, 1]]), "report of classes is not that of its predictions"),
    "the floor": (put("floor", "one_answer", value=[0]), "the seeds that give one answer"),
    "at the floor": (put("floor", "at_floor", value=lambda seeds: [] if seeds else [0]), "the seeds at the floor"),
    "the floor's score": (put("floor", "score", value=lambda score: score + 1e-3), "the score of a constant answer"),
    "an unknown field": (put("cell", value=lambda cell: {**cell, "extra": 1}), "unknown field"),
    "a format": (put("format", value=99), "made by a newer tlbench"),
    "the file of predictions": (put("predictions", value="../../secret.parquet"), "the predictions of another record"),
    "the status": (put("status", value="failed"), "it is failed and has scores"),
    "no predictions": (put("predictions", value=None), "is there, and the record does not name it"),
    "a metric": (put("metrics", value=[]), "it names no metric"),
    "a metric of a plugin": (put("metrics", value=["half_price"]), "install the plugin that brings it"),
    "the positive class": (put("positive", value=0), "its positive class is 0, and the task's is 1"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_changed_record_is_rejected(sent, what):
    edit, line = TAMPERED[what]
    sent.change(edit)
    assert any(line in fault for fault in sent.faults()), sent.faults()


def set_column(name, values):
    return lambda table: table.set_column(table.column_names.index(name), name, values(table))


def all_right(table):
    return table["target"]


TABLES = {
    "answers": (set_column("value", all_right), "accuracy of seed 0 is"),
    "targets": (set_column("target", lambda table: table["value"]), "the target of"),
    "ids": (set_column("id", lambda table: pc.binary_join_element_wise(table["id"], "x", "-")), "which are not the"),
    "seeds": (set_column("seed", lambda table: pc.add(table["seed"], 5)), "it has the seeds [5, 6]"),
    "one seed alone": (lambda table: table.filter(pc.equal(table["seed"], 0)), "it has the seeds [0]"),
    "fewer rows": (lambda table: table.slice(1), "other examples"),
    "a row twice": (lambda table: pa.concat_tables([table, table.slice(0, 1)]), "predictions of other examples"),
    "all rows twice": (lambda table: pa.concat_tables([table, table]), "an example twice"),
    "a bomb": (
        lambda table: table.append_column(
            "slice.kind", pa.DictionaryArray.from_arrays(pa.array([0] * len(table)), pa.array(["x" * 2**24]))
        ),
        "grows to more than",
    ),
    "no values": (lambda table: table.drop_columns(["value"]), "cannot be read as predictions"),
}


@pytest.mark.parametrize("what", TABLES)
def test_changed_predictions_are_rejected(sent, what):
    edit, line = TABLES[what]
    sent.change_table(sent.predictions, edit)
    assert any(line in fault for fault in sent.faults()), sent.faults()


def test_changed_validation_predictions_are_rejected(sent):
    sent.change_table(sent.validation, set_column("value", all_right))
    assert any("the validation score of seed" in fault for fault in sent.faults())


def test_scores_raised_together_with_answers_are_found_by_a_new_fit(sent):
    table = pq.read_table(sent.predictions)
    # Answers that no fit gave: the reverse of what the model says, with scores, report and floor to match.
    assert table["value"].type == pa.int64()
    from tlbench.running.verification.rerun import compared
    from tlbench.running.verification.stored_answers import read_answers

    honest = read_answers(sent.predictions.read_bytes(), (0, 1), 1)
    flipped = set_column("value", lambda table: pc.subtract(1, table["value"]))(table)
    sent.change_table(sent.predictions, lambda table: flipped)
    forged = read_answers(sent.predictions.read_bytes(), (0, 1), 1)
    metric = sent.catalog.metric("accuracy")
    assert "of the answers agree" in compared(forged, 0, honest.scored[0], metric, 2).fault
    assert compared(honest, 0, honest.scored[0], metric, 2).fault == ""


def test_a_digest_that_does_not_fit_is_rejected(sent):
    sent.record.write_bytes(sent.record.read_bytes().replace(b'"attempt":1', b'"attempt": 1'))
    assert sent.faults() == [f"its SHA-256 is not the one in {MANIFEST}: it was changed or damaged"]


def test_missing_and_added_files_are_rejected(sent):
    sent.validation.unlink()
    (sent.root / "records" / "notes.txt").write_text("x")
    (sent.root / "index.bin").write_bytes(b"forged")
    lines = sent.faults()
    assert sum("a submission has no such file" in line for line in lines) == 2
    assert any("it is missing" in line for line in lines)


def test_predictions_of_no_record_are_rejected(sent):
    shutil.copy(sent.predictions, sent.root / "records" / f"{'0' * 16}.1.parquet")
    sent.listed_anew()
    assert sent.faults() == ["these are predictions without a record"]


def test_without_the_task_the_tier_is_self_reported_and_scores_are_still_compared(sent, monkeypatch):
    from tlbench.catalog.catalog import Catalog

    monkeypatch.delenv("TLBENCH_PLUGINS", raising=False)
    sent.catalog = Catalog.discover()
    found = sent.verified()
    assert found.tier == "self-reported"
    assert "its targets were not checked" in found.records[0].notes[0]
    sent.change_table(sent.predictions, set_column("value", all_right))
    assert any("accuracy of seed 0 is" in fault for fault in sent.faults())


def test_files_that_a_submission_names_are_not_read(sent, tmp_path):
    """A task's name may be that of any file of this machine, and a message would quote its targets."""
    secret = tmp_path / "secret.csv"
    secret.write_text("text,label\nhello,PASSWORD\n" * 40)

    def renamed(record):
        record["cell"]["task"]["name"] = f"csv:{secret}[text=text,label=label]"

    content = json.loads(sent.record.read_bytes())
    del content["digest"]
    renamed(content)
    cell = msgspec.convert(content["cell"], Cell)
    content["predictions"], content["validation_predictions"] = (
        f"{cell.id}.1.parquet",
        f"{cell.id}.1.validation.parquet",
    )
    content["digests"] = {
        name.replace(sent.record.stem, f"{cell.id}.1"): one for name, one in content["digests"].items()
    }
    sent.predictions.rename(sent.root / "records" / content["predictions"])
    sent.validation.rename(sent.root / "records" / content["validation_predictions"])
    sent.record.unlink()
    (sent.root / "records" / f"{cell.id}.1.json").write_bytes(sealed(json.dumps(content).encode()))
    sent.listed_anew()
    (found,) = sent.verified(again=["all"]).records
    assert (found.tier, found.faults) == ("self-reported", [])
    assert any("--read-files" in note for note in found.notes)
    assert "PASSWORD" not in repr(found)


def test_no_byte_of_a_record_makes_it_crash(sent):
    content = sent.record.read_bytes()
    for cut in (0, 1, len(content) // 2, len(content) - 1):
        sent.record.write_bytes(content[:cut])
        sent.listed_anew()
        assert any("is damaged" in fault for fault in sent.faults())
    sent.record.write_bytes(content)
    for cut in (0, 100, sent.predictions.stat().st_size - 1):
        sent.predictions.write_bytes(sent.predictions.read_bytes()[:cut])
        sent.listed_anew()
        assert any("cannot be read as predictions" in fault for fault in sent.faults())
