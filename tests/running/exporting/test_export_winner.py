"""A winner is written to a folder that predicts as it does without tlbench, or nothing is written."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import ModelCard

from tlbench import Classes, MultiLabel, Predictions, Protocol, Scalar, Span, TokenClasses
from tlbench.contracts.errors import UsageError
from tlbench.contracts.exports.forms import DenseHead, ExportedFiles
from tlbench.modeling.heads import PooledHead
from tlbench.running.exporting.export_card import ExportFacts, card_text
from tlbench.running.exporting.export_winner import export_winner
from tlbench.running.exporting.exported_check import differing, predictions_without_tlbench
from tlbench.running.winners.kept_winner import kept_winner
from tlbench.testing.exports.exported_predictions import exported
from tlbench.testing.jobs import Rehearsal
from tlbench.testing.toy_plugin import tlbench_strategies
from tlbench.testing.toys import ToyBackbone, ToyTask


def winner_of(runs, strategy, **what):
    record = runs.one(strategy, **what)
    return kept_winner(record.cell.id, runs.folder, runs.catalog, device="cpu")


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def test_a_winner_is_exported_with_a_card_and_predicts_the_same_in_full_precision(runs, tmp_path):
    winner = winner_of(runs, "full-finetune", max_steps=3, trials=2, seeds=2, precision="bf16-autocast")
    assert winner.predictor.precision == "bf16-autocast"
    to = tmp_path / "model"
    facts = export_winner(winner, to, ties=["toy majority"], standing="It has rank 1 to 2 of the 2 rows.")
    # The folder was compared with the predictor in fp32, and can be used from anywhere.
    assert winner.predictor.precision == "fp32"
    assert facts.checked_rows == 32
    assert names_in(to) == {
        "README.md", "head.safetensors", "model.json", "model.py", "model.safetensors", "predict.py",
        "requirements.txt",
    }  # fmt: skip
    assert names_in(tmp_path) == {"model", "out"}
    card = ModelCard((to / "README.md").read_text())
    data = card.data.to_dict()
    (result,) = data["model-index"]
    accuracies = [score.value for score in winner.record.scores if score.metric == "accuracy" and not score.slice]
    measured = {one["type"]: one["value"] for one in result["results"][0]["metrics"]}
    assert measured["accuracy"] == pytest.approx(np.mean(accuracies), abs=1e-6)
    assert data["license"] == "apache-2.0"
    for text in ("toy majority", "rank 1 to 2", "It was measured in bf16-autocast", "tlbench run -t toy-tone -b toy"):
        assert text in card.text


def test_a_folder_that_predicts_otherwise_is_not_left(runs, tmp_path, monkeypatch):
    winner = winner_of(runs, "toy-tune", trials=1, seeds=1)
    honest = PooledHead.exportable

    def shifted(head, encoder):
        form = honest(head, encoder)
        ((weight, bias),) = form.head.layers
        return replace(form, head=DenseHead(((weight, bias + bias.new_tensor([0.0, 0.01])),)))

    monkeypatch.setattr(PooledHead, "exportable", shifted)
    with pytest.raises(UsageError, match="not exported, because its folder predicts otherwise: a probability differs"):
        export_winner(winner, tmp_path / "model")
    assert names_in(tmp_path) == {"out"}


def test_what_cannot_be_exported_says_why(runs, tmp_path, monkeypatch):
    winner = winner_of(runs, "toy-tune", trials=1, seeds=1)
    to = tmp_path / "model"
    to.mkdir()
    (to / "mine.txt").write_text("keep this")
    with pytest.raises(UsageError, match="model: it exists already; name a new folder"):
        export_winner(winner, to)
    assert (to / "mine.txt").read_text() == "keep this"
    with pytest.raises(UsageError, match="no adapter: leave --adapter out"):
        export_winner(winner, tmp_path / "other", keep_adapter=True)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        UsageError, match=r"--onnx needs onnx, onnxruntime and onnxscript: pip install 'tlbench\[onnx\]'"
    ):
        export_winner(winner, tmp_path / "other", onnx=True)

    def broken(head, encoder):
        raise RuntimeError("sizes of tensors\ndo not match")

    monkeypatch.setattr(PooledHead, "exportable", broken)
    with pytest.raises(UsageError, match="toy-tune cannot be exported: RuntimeError: sizes of tensors do not match"):
        export_winner(winner, tmp_path / "other")
    majority = winner_of(runs, "toy-majority", trials=1, seeds=1)
    with pytest.raises(
        UsageError, match="toy-majority cannot be exported: its predictors do not say what they compute"
    ):
        export_winner(majority, tmp_path / "other")
    assert names_in(tmp_path) == {"model", "out"}


def test_onnx_computes_what_torch_does(runs, tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    # Without blocks, since ONNX has no attention with one head and no dimension for it.
    winner = winner_of(runs, "toy-tune", trials=1, seeds=1, backbones=["toy[blocks=0]"])
    facts = export_winner(winner, tmp_path / "model", onnx=True)
    assert (tmp_path / "model" / "model.onnx").is_file()
    assert facts.onnx.inputs == ("ids", "mask")
    assert facts.onnx.difference < 1e-4
    assert "ONNX Runtime" in (tmp_path / "model" / "README.md").read_text()


def test_code_of_a_folder_that_needs_tlbench_is_noticed(tmp_path):
    (tmp_path / "predict.py").write_text("import tlbench.contracts\n")
    with pytest.raises(UsageError, match="cannot be used without tlbench: ModuleNotFoundError: tlbench is not there"):
        predictions_without_tlbench([(tmp_path, [["a"]])])


NAMES = ("<script>alert(1)</script>", "a|b`c", "![x](http://e)", "\x1b[31mred", "=cmd()", "\u202egnp")


def test_names_are_shown_as_they_are_without_being_markup(runs, tmp_path):
    winner = winner_of(runs, "toy-tune", trials=1, seeds=1)
    files = ExportedFiles(tmp_path, {}, True, "numpy", "# none", ())

    text = card_text(
        ExportFacts(winner.record, winner.fit, Classes(NAMES), "text", files, None, 3, ties=[NAMES[0]])
    )  # fmt: skip
    outside = "".join(part for place, part in enumerate(text.replace("```", "").split("`")) if place % 2 == 0)
    assert not any(mark in outside for mark in ("<script", "http://e", "=cmd"))
    assert "\x1b" not in text
    assert "\u202e" not in text


class Spells(ToyTask):
    output = Classes(NAMES[:2])


def test_hostile_names_of_classes_are_predicted_as_they_are(tmp_path):
    strategy = next(one for one in tlbench_strategies() if one.name == "toy-tune")
    rehearsal = Rehearsal(strategy, ToyBackbone(), Spells(), Protocol(max_steps=3, precision="fp32"))
    written = exported(rehearsal.fit_ok().predictor, ToyBackbone(), Spells(), rehearsal.data(), tmp_path / "model")
    found = written.predictions()
    assert written.problem(found) == ""
    assert {one["label"] for one in found} <= {*NAMES[:2]}
    assert list(found[0]["scores"]) == list(NAMES[:2])


def predicted(values, scores=None):
    rows = np.empty(len(values), dtype=object)
    rows[:] = values
    values = rows if isinstance(values[0], tuple | str) else np.asarray(values)
    return Predictions(tuple(map(str, range(len(values)))), values, scores)


@pytest.mark.parametrize(
    ("output", "own", "found", "problem"),
    [
        (Scalar(), predicted([1000.0]), [{"value": 1000.009}], ""),
        (Scalar(), predicted([1.0]), [{"value": 1.001}], "a number differs by 1.0e-03"),
        (TokenClasses(("O", "X")), predicted([(0, 1)]), [{"tags": ["O", "X"]}], ""),
        (TokenClasses(("O", "X")), predicted([(0, 1)]), [{"tags": ["O", "O"]}], "1 of 1 predictions differ"),
        (Span(), predicted(["Paris"]), [{"text": "paris"}], "1 of 1 predictions differ"),
        (
            Classes(("a", "b")), predicted([0], np.array([[0.6, 0.4]])),
            [{"label": "a", "scores": {"a": 0.6001, "b": 0.3999}}], "a probability differs by 1.0e-04",
        ),
        (
            Classes(("a", "b")), predicted([0], np.array([[0.6, 0.4]])),
            [{"label": "b", "scores": {"a": 0.6, "b": 0.4}}], "1 of 1 classes differ",
        ),
        (
            Classes(("a", "b")), predicted([0], np.array([[0.5, 0.5]])),
            [{"label": "b", "scores": {"a": 0.499999, "b": 0.500001}}], "",
        ),
        (
            MultiLabel(("a", "b")), predicted([[1, 0]], np.array([[0.9, 0.2]])),
            [{"labels": ["a", "b"], "scores": {"a": 0.9, "b": 0.2}}], "1 of 1 classes differ",
        ),
        (Scalar(), predicted([1.0, 2.0]), [{"value": 1.0}], "1 predictions for 2 rows"),
    ],
)  # fmt: skip
def test_differences_are_named(output, own, found, problem):
    assert differing(found, own, output) == problem


def test_the_command_prints_how_the_folder_is_loaded(runs, tmp_path, capsys):
    from tlbench.cli.app import _main

    record = runs.one("toy-tune", trials=1, seeds=2, keep_models="best-seed")
    to = tmp_path / "model"
    assert _main(["export", record.cell.id[:8], "--to", str(to), "--out", str(runs.folder)]) == 0
    out = capsys.readouterr().out
    assert f"{to}: safetensors, 32 rows predicted without tlbench as by the model" in out
    assert f'safetensors.numpy.load_file("{to}/model.safetensors")' in out
    assert json.loads((to / "model.json").read_text())["output"]["names"] == ["unfriendly", "friendly"]
    assert "It has rank 1 of the 1 rows" in (to / "README.md").read_text()
    assert _main(["export", record.cell.id[:8], "--to", str(to), "--out", str(runs.folder)]) == 2
    assert "it exists already; name a new folder" in capsys.readouterr().err
