"""Kept models on disk: what is written is read again, and what somebody else put there is not."""

import os

import pytest

from tlbench.contracts.errors import StoreError
from tlbench.contracts.record import FitResult
from tlbench.results.models.model_folder import checked_predictor, read_manifest, write_model

FIT = FitResult({"lr": 0.1}, 3, "final", 0, "ok", validation=0.5)


def save(folder):
    folder.mkdir(parents=True)
    (folder / "predictor.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "models" / "a.1" / "3"
    write_model(folder, "a" * 16, FIT, save)
    return folder


def test_a_model_is_read_as_it_was_written(model):
    manifest = read_manifest(model)
    assert manifest.is_of("a" * 16, FIT)
    assert not manifest.is_of("b" * 16, FIT)
    assert manifest.size_bytes == 9
    assert checked_predictor(model) == model / "predictor"
    assert [path.name for path in model.parent.iterdir()] == ["3"], "no temporary folder is left"


def test_a_predictor_of_another_format_is_not_kept(tmp_path):
    def pickled(folder):
        save(folder)
        (folder / "model.pkl").write_bytes(b"")

    for bad, words in [(pickled, "model.pkl: a model has files of"), (lambda folder: None, "wrote no file")]:
        with pytest.raises(StoreError, match=words):
            write_model(tmp_path / "3", "a" * 16, FIT, bad)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "predictor" / "more.json").write_text("{}"), "more.json is not part of it"),
        (lambda folder: (folder / "predictor" / "predictor.json").unlink(), "predictor.json is missing"),
        (lambda folder: (folder / "predictor" / "predictor.json").write_text("[]"), "has changed since"),
        (lambda folder: (folder / "predictor" / "code.py").write_text(""), "a model has files of"),
        (lambda folder: (folder / "predictor" / "l.json").symlink_to("/etc/passwd"), "not a regular file"),
        (lambda folder: os.mkfifo(folder / "predictor" / "p.json"), "not a regular file"),
        (lambda folder: (folder / "model.json").write_text("{}"), "no model can be read from it"),
        (lambda folder: (folder / "model.json").write_bytes(b" " * 2**21), "it is too large"),
        (lambda folder: (folder.rename(folder.with_name("4")), folder.symlink_to("4")), "is a link"),
    ],
)
def test_a_changed_folder_is_refused(model, change, words):
    change(model)
    with pytest.raises(StoreError, match=words):
        checked_predictor(model)
