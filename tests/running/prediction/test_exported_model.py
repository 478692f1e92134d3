"""Exported folders predict new rows in `tlbench predict`, and no code of a folder is run."""

import csv
import json
import os
import shutil

import pytest

from tlbench import UsageError
from tlbench.cli.app import _main
from tlbench.running.exporting.export_winner import export_winner
from tlbench.running.prediction.exported_model import exported_predictor, is_exported
from tlbench.running.winners.kept_winner import kept_winner


@pytest.fixture
def folder(runs, tmp_path, monkeypatch):
    """An exported folder, in an environment in which the toys are plugins."""
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    record = runs.one("toy-tune", trials=1, seeds=1)
    export_winner(kept_winner(record.cell.id, runs.folder, runs.catalog, device="cpu"), tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_predicts_as_its_cell_does(folder, runs, tmp_path, capsys):
    (tmp_path / "new.csv").write_text("id,text\n1,the film is lovely\n2,\n3,a song is dull\n")
    # Its own script is not used, so that what is in it does not matter.
    (folder / "predict.py").write_text("raise SystemExit('this was run')\n")
    (record,) = runs.store.records()
    found = []
    for number, name in enumerate((str(folder), record.cell.id)):
        to = tmp_path / f"{number}.csv"
        assert _main(["predict", name, str(tmp_path / "new.csv"), "-o", str(to), "--out", str(runs.folder)]) == 0
        found.append(list(csv.DictReader(to.open(newline=""))))
    assert [row["prediction"] for row in found[0]] == [row["prediction"] for row in found[1]]
    assert [row["problem"] for row in found[0]] == ["", "the text is empty", ""]
    for own, other in zip(*found, strict=True):
        for name in ("p(friendly)", "p(unfriendly)"):
            assert own[name] == other[name] == "" or float(own[name]) == pytest.approx(float(other[name]), abs=1e-5)
    assert found[0][0]["confidence"] == found[0][0][f"p({found[0][0]['prediction']})"]
    assert "confidence is not calibrated: an exported folder" in capsys.readouterr().err
    options = ["--seed", "0"]
    assert _main(["predict", str(folder), str(tmp_path / "new.csv"), "-o", str(tmp_path / "2.csv"), *options]) == 2
    assert "leave --seed and --device out" in capsys.readouterr().err


def changed(path, text):
    path.write_bytes(text.encode())


def linked(path):
    path.unlink()
    path.symlink_to("/etc/hostname")


SPOILED = (
    (lambda at: changed(at / "model.py", (at / "model.py").read_text() + "1\n"), "if you trust the folder: python"),
    (lambda at: changed(at / "model.py", "DATA_ONLY = True\n"), "is no script of an installed plugin"),
    (lambda at: changed(at / "weights.bin", "x"), "weights.bin: is not part of an exported model: remove it"),
    (lambda at: linked(at / "model.safetensors"), "model.safetensors: is not part of an exported model"),
    (lambda at: os.mkfifo(at / "more.json"), "more.json: is not part of an exported model"),
    (lambda at: changed(at / "config.json", '{"auto_map": {}}'), "config.json: names code"),
    (lambda at: changed(at / "model.json", "[" * 100_000), "no model can be read from it: RecursionError"),
    (lambda at: changed(at / "model.json", "{}"), "no model can be read from it: KeyError: 'output'"),
    (lambda at: changed(at / "model.safetensors", "x"), "no model can be read from it: SafetensorError"),
)


def test_a_folder_with_code_or_damage_is_refused_in_one_line(folder, tmp_path):
    for number, (spoil, words) in enumerate(SPOILED):
        copy = tmp_path / str(number)
        shutil.copytree(folder, copy)
        spoil(copy)
        with pytest.raises(UsageError, match=words) as caught:
            exported_predictor(copy)
        assert "\n" not in str(caught.value)


def test_hidden_files_are_allowed_and_scripts_that_may_run_code_are_not(folder, monkeypatch):
    for name in (".git", "__pycache__"):
        (folder / name).mkdir()
        (folder / name / "file.pyc").write_bytes(b"x")
    content = json.loads((folder / "model.json").read_text())
    assert content["inputs"] == {"count": 1, "columns": []}
    assert exported_predictor(folder).classes == ("unfriendly", "friendly")
    # As of the script of timm's networks, which imports a module of the folder.
    monkeypatch.setattr("tlbench.running.prediction.exported_model.MARK", b"\nNOT_DECLARED = True\n")
    with pytest.raises(UsageError, match="is no script of an installed plugin that is safe"):
        exported_predictor(folder)


def test_a_name_is_a_folder_or_a_cell(tmp_path):
    (tmp_path / "model").mkdir()
    for name in ("model.py", "model.json"):
        (tmp_path / "model" / name).write_text("")
    assert is_exported(tmp_path / "model", is_path=False)
    assert not is_exported(tmp_path / "none", is_path=True)
    assert not is_exported(tmp_path, is_path=False), "a folder may be called as a cell's id begins"
    with pytest.raises(UsageError, match="no model that `tlbench export` wrote is in it"):
        is_exported(tmp_path, is_path=True)
